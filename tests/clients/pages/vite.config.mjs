// The development server of the pages: /api goes on to the gateway (GATEWAY), WebSockets too.
import react from "@vitejs/plugin-react";

export default {
  plugins: [react()],
  cacheDir: process.env.CACHE,
  // All that the pages need, at once: what it finds later makes it load them again.
  optimizeDeps: { include: ["react", "react-dom/client", "react/jsx-dev-runtime"] },
  clearScreen: false,
  server: {
    host: "127.0.0.1",
    port: Number(process.env.PORT),
    strictPort: true,
    proxy: { "/api": { target: process.env.GATEWAY, changeOrigin: true, ws: true } },
  },
};
