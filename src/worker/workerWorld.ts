/** Parts of a worker's surroundings that several workers share. */

/** Gives a function that lets messages come in. A timer would wait for 4 ms; a message to oneself comes after those that are there. */
export function messageBreath(): () => Promise<void> {
  const channel = new MessageChannel();
  return () =>
    new Promise<void>((resolve) => {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(null);
    });
}

/** Fetches CLIP's merges. Rejects with a sentence where that fails. */
export async function fetchMerges(address: string): Promise<string> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`The tokenizer's vocabulary could not be loaded (${answer.status}).`);
  return answer.text();
}
