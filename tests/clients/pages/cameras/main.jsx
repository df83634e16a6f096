// A rewrite of the dashboard of a camera system, behind a development server that passes /api on: signs
// in at /api/token, keeps the token in the browser's storage and puts it into the socket's address; asks
// over HTTP for as long as there is no socket; signs in again when an answer says that the token is over.
import React, { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const KEY = "token";

async function signIn() {
  const form = new URLSearchParams({ username: args.username, password: args.password });
  const answer = await fetch("/api/token", { method: "POST", body: form });

  if (!answer.ok) throw new Error(`sign-in: ${answer.status}`);
  localStorage.setItem(KEY, (await answer.json()).access_token);
  say("signed in");
}

async function ask(path) {
  if (!localStorage.getItem(KEY)) await signIn();
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${localStorage.getItem(KEY)}` } });

  if (answer.status === 401) {
    localStorage.removeItem(KEY);
    say("token over", { path });
  }
  return answer.ok ? answer.json() : null;
}

function useStatistics() {
  const [statistics, setStatistics] = useState(null);
  const [faces, setFaces] = useState(null);
  const [how, setHow] = useState("Away");

  useEffect(() => {
    let socket, retry, polling, heartbeat, isOver = false;

    async function poll() {
      try {
        const answer = await ask("/api/faces/statistics");
        if (!answer || isOver || !polling) return; // or a socket has come meanwhile
        setStatistics(answer);
        setHow("Polling");
        say("polled", { people: answer.total_people });
      } catch {
        // the gateway is away: the next turn may find it
      }
    }

    async function showCameras() {
      const me = await ask("/api/users/me").catch(() => null);
      const cameras = await ask("/api/cameras/").catch(() => null);
      if (!isOver && me && cameras) say("cameras", { me: me.username, ids: cameras.cameras.map((c) => c.camera_id) });
    }

    async function showFaces() {
      const answer = await ask("/api/faces/detections").catch(() => null);
      if (isOver || !answer) return;
      setFaces(answer);
      say("faces", { names: Object.values(answer).flatMap((camera) => camera.recent_faces.map((face) => face.name)) });
    }

    function handle(message) {
      switch (message.type) {
        case "connection_status":
          return say("welcome", { user: message.user.username });
        case "statistics_update":
          setStatistics(message.data);
          return say("statistics", { people: message.data.total_people,
            local: new Date(message.timestamp).getHours(), offset: new Date().getTimezoneOffset() });
        case "camera_event":
          showFaces();
          return say("seen", { camera: message.camera_id, data: message.data });
        case "alert":
        case "pong":
          return undefined;
        default:
          return say("unexpected", { message });
      }
    }

    async function connect() {
      try {
        if (!localStorage.getItem(KEY)) await signIn();
      } catch (error) {
        say("trouble", { message: error.message });
        retry = setTimeout(connect, 5 * SECOND);
        return;
      }
      if (isOver) return;
      const scheme = location.protocol.replace("http", "ws");
      socket = new WebSocket(`${scheme}//${location.host}/api/ws/statistics?token=${localStorage.getItem(KEY)}`);
      socket.onopen = () => {
        clearInterval(polling);
        polling = null;
        setHow("Live");
        say("open");
        heartbeat = setInterval(() => socket.send(JSON.stringify({ type: "ping", timestamp: Date.now() })), 30 * SECOND);
        showCameras();
        showFaces();
      };
      socket.onmessage = ({ data }) => handle(JSON.parse(data));
      socket.onclose = ({ code }) => {
        clearInterval(heartbeat);
        if (isOver) return;
        say("close", { code });
        setHow("Away");
        polling ??= setInterval(poll, 5 * SECOND);
        if (code !== 1000) retry = setTimeout(connect, 10 * SECOND);
      };
    }

    const leave = () => socket?.close(3000, "offline");
    addEventListener("offline", leave);
    connect();
    return () => {
      isOver = true;
      removeEventListener("offline", leave);
      clearTimeout(retry);
      clearInterval(polling);
      clearInterval(heartbeat);
      socket?.close(1000);
    };
  }, []);
  return { statistics, faces, how };
}

function Dashboard() {
  const { statistics, faces, how } = useStatistics();

  useEffect(() => say("screen", { how, people: statistics?.total_people ?? null }));
  return (
    <>
      <h1>Cameras</h1>
      <p>{how}: {statistics?.total_people ?? "-"} people</p>
      <ul>
        {Object.entries(faces ?? {}).flatMap(([camera, { recent_faces }]) =>
          recent_faces.map((face, i) => <li key={camera + i}>{camera}: {face.name}</li>))}
      </ul>
    </>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><Dashboard /></StrictMode>);
