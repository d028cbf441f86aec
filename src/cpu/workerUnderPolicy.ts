/** Blobs that lead to a script, by its address. */
const starters = new Map<string, string>();

/**
 * Starts a worker of a script of this page. A browser holds a worker to the Content-Security-Policy of the page only where its
 * script is a blob: any other would be held to what the server says beside it, which on most hosts is nothing.
 */
export function workerUnderPolicy(script: string, name?: string): Worker {
  const { href } = new URL(script, import.meta.url);
  const starter =
    starters.get(href) ??
    URL.createObjectURL(new Blob([`import ${JSON.stringify(href)};`], { type: 'text/javascript' }));
  starters.set(href, starter);
  // Developer tools show the script's name.
  return new Worker(`${starter}#${href.split('/').at(-1)}`, { type: 'module', name });
}
