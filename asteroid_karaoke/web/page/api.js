// The server's answers, or an error with words for people.

export class Trouble extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const SILENT = "The server does not answer. Is it still running?";

export async function ask(path, { method = "GET", body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Trouble(SILENT);
  }
  return told(answer.status, await answer.text());
}

function told(status, text) {
  let content = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    // No JSON: not one of our own answers.
  }
  if (status >= 200 && status < 300) return content;
  throw new Trouble(content?.error ?? `The server failed (${status}): its log says why.`, status);
}

// A stretch of a file, in bytes, the last one not included.
export async function range(path, first, end, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal, headers: { Range: `bytes=${first}-${end - 1}` } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Trouble(SILENT);
  }
  if (answer.status !== 206) return told(answer.ok ? 500 : answer.status, await answer.text());
  return answer.arrayBuffer();
}

// fetch() does not tell how far an upload is; XMLHttpRequest does.
export function upload(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/songs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => {
      try {
        resolve(told(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new Trouble(SILENT));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
