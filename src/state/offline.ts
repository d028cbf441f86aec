/** A newer build of the page that is there, and waits or was taken into use by another tab. */
export interface NewerBuild {
  readonly isTaken: boolean;
  /** Takes it into use, which opens the page anew. */
  use(): void;
}

/**
 * Has the browser keep the whole page for visits without a network. `tell` hears of a newer build; the one that the page was
 * opened with stays in use until a person takes the newer one. Nothing is kept where the browser does not allow it.
 */
export async function keepOffline(container: ServiceWorkerContainer, tell: (newer: NewerBuild) => void): Promise<void> {
  const script = new URL('sw.js', document.baseURI);
  const registration = await container.register(script).catch(() => null);
  // The first build that is kept is the one that is open.
  let isFirst = container.controller === null;
  let isAsked = false;
  const use = () => {
    isAsked = true;
    if (registration?.waiting) registration.waiting.postMessage('use');
    else location.reload();
  };
  container.addEventListener('controllerchange', () => {
    if (isAsked) location.reload();
    else if (!isFirst) tell({ isTaken: true, use });
    isFirst = false;
  });
  const tellOfWaiting = () => {
    if (registration?.waiting && container.controller) tell({ isTaken: false, use });
  };
  tellOfWaiting();
  registration?.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', tellOfWaiting);
  });
}
