import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles.css";
import { App } from "./App";
import { locale } from "./i18n";
import { startTheme } from "./theme";

document.documentElement.lang = locale;
startTheme();
createRoot(document.getElementById("root")!).render(<StrictMode><App /></StrictMode>);
