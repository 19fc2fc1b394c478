"use strict";
// Files over a network that may fail, from a server that may be busy.
const PAUSES = [1, 2, 4]; // seconds before each further try
const LONGEST_PAUSE = 30; // whatever the server asks for

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// What `read` makes of the reply to a request for a file, after some tries if need be; throws what the last one met.
async function patiently(path, read) {
  for (const pause of PAUSES) {
    try {
      return await once(path, read);
    } catch (error) {
      await wait(Math.min(LONGEST_PAUSE, Math.max(pause, error.seconds || 0)));
    }
  }
  return once(path, read);
}

async function once(path, read) {
  const reply = await fetch(path);
  if (reply.ok) return await read(reply);
  const error = new Error(`${path}: ${reply.status}`);
  error.seconds = Number(reply.headers.get("Retry-After")); // NaN where it is a date
  throw error;
}
