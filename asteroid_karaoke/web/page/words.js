// Numbers and formats as people read them.

export const FORMAT_NAMES = {
  same: "Format of the song",
  wav16: "WAV, 16 bit",
  wav24: "WAV, 24 bit",
  wav32f: "WAV, 32 bit float",
  flac: "FLAC",
  mp3: "MP3",
  ogg: "Ogg Vorbis",
  opus: "Opus",
  m4a: "AAC (m4a)",
};

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// How long something will take: nobody wants to know it to the second.
export function roughly(seconds) {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

// The time of day in so many seconds.
export function time(seconds) {
  const at = new Date(Date.now() + 1000 * seconds);
  return at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

export function signed(number) {
  return number > 0 ? `+${number}` : String(number).replace("-", "−");
}
