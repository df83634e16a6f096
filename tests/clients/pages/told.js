// What the pages share: what the address says behind its # (a JSON object), how long one of their
// seconds lasts, and telling whoever drives the browser what happens.
const args = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
const SECOND = args.second ?? 1000;

function say(event, data = {}) {
  console.log(JSON.stringify({ event, ...data }));
}
