import type { EncoderClient } from '../worker/client.ts';
import type { Facts, Fault, Offer } from './facts.ts';
import type { Memory } from './memory.ts';

/** The page as its actions see it. */
export interface Page {
  readonly client: EncoderClient;
  readonly memory: Memory | null;
  readonly tab: Memory | null;
  /** Asks the browser to keep what is stored, even when the disk fills up (StorageManager.persist). */
  persist(): Promise<unknown>;
  get(): Facts;
  set(facts: Partial<Facts>): void;
  /** Shows a message until it is dismissed; one that is on show already is shown once. */
  notify(message: string, offer?: Offer, fault?: Fault): void;
}
