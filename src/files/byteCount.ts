/** Writes a count of bytes in decimal megabytes, without the unit: "492.3". */
export function inMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Writes a count of bytes in decimal megabytes: "492.3 MB". */
export function megabytes(bytes: number): string {
  return `${inMegabytes(bytes)} MB`;
}
