/** The service worker as seen from the page: it stores the built files, so that the page works offline. */

export const PREFIX = "mnistgen-playground-"; // of the names of its caches

/** Store the page's files; false if this browser cannot. */
export async function workOffline(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    return false;
  }
}

/** Reload from the network: the stored files may be what is damaged. */
export async function reloadAfresh(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration?.unregister();
    const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
    await Promise.all(names.map((name) => caches.delete(name)));
  } finally {
    location.reload();
  }
}
