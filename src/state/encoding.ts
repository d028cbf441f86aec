import type { EncodedRows, EncoderClient } from '../worker/client.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import { keyOf, lorasKey } from './passKeys.ts';
import {
  editablePasses,
  isNeeded,
  type MissingPasses,
  missingPasses,
  neededKeys,
  type PlanFacts,
  planFacts,
} from './passPlan.ts';
import { usedLoras } from './reading.ts';

/** Bytes of outputs held in memory; one of the full-size encoder with all its states takes 6.7 MB. */
const mostBytes = 96e6;

function bytesOf({ output }: EncodedPass): number {
  const { lastHiddenState, hiddenStates, attentions } = output;
  const states = [lastHiddenState, ...hiddenStates.values(), ...(attentions ? [attentions] : [])];
  return states.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Drops the outputs encoded longest ago, down to `mostBytes`, but none that the prompt on show needs. */
function withinMemory(encoded: Facts['encoded'], facts: PlanFacts): Facts['encoded'] {
  const needed = neededKeys(facts);
  const loras = lorasKey(usedLoras(facts));
  const newestFirst = [...encoded]
    .flatMap(([group, outputs]) => [...outputs].map(([key, pass]) => ({ group, key, pass })))
    .reverse()
    .sort((a, b) => b.pass.revision - a.pass.revision);
  const dropped = new Map<string, Set<string>>();
  let bytes = 0;
  for (const { group, key, pass } of newestFirst) {
    bytes += bytesOf(pass);
    if (bytes <= mostBytes || (group === loras && needed.has(key))) continue;
    dropped.set(group, (dropped.get(group) ?? new Set()).add(key));
  }
  if (dropped.size === 0) return encoded;
  const held = [...encoded].map(([group, outputs]) => {
    const gone = dropped.get(group);
    return [group, gone ? new Map([...outputs].filter(([key]) => !gone.has(key))) : outputs] as const;
  });
  return new Map(held.filter(([, outputs]) => outputs.size > 0));
}

/**
 * Has encoded what the page is missing, one call at a time, as the encoder runs them: what is asked for next is what is
 * missing then.
 */
export function encodeScheduler(client: EncoderClient, { get, set }: Pick<Page, 'get' | 'set'>) {
  /** `keys` of what was asked for last: while that is what is missing, it is not asked for again. */
  let asked = '';
  let underway: { readonly missing: MissingPasses; readonly abort: AbortController } | null = null;

  function encodeMissing() {
    const facts = get();
    if (underway) {
      // Nobody may wait for it any more: then it is not finished, and the rows that are there stay on the GPU.
      if (!isNeeded(facts, underway.missing)) underway.abort.abort();
      return;
    }
    const missing = facts.model && !facts.lost ? missingPasses(facts) : null;
    if ((missing?.keys ?? '') === asked) return;
    asked = missing?.keys ?? '';
    if (missing) void encode(missing);
  }

  async function encode(missing: MissingPasses) {
    const { passes, want, loras } = missing;
    const { model } = get();
    const group = lorasKey(loras);
    const abort = new AbortController();
    underway = { missing, abort };
    const onRows = ({ outputs: [output], ready: [ready], stats }: EncodedRows) => {
      const { model: current, revision } = get();
      if (current === model) set({ started: { loras: group, key: keyOf(passes[0]), output, ready, stats, revision } });
    };
    try {
      const { outputs, stats, gpuBytes } = await client.encode(passes, want, {
        loras,
        signal: abort.signal,
        alsoNeeded: editablePasses(get()),
        ...(want.attentions && { onRows }),
      });
      underway = null;
      const now = get();
      if (now.model !== model) return;
      const { revision } = now;
      const added = outputs.map((output, i) => [keyOf(passes[i]), { output, stats, revision }] as const);
      const encoded = new Map(now.encoded).set(group, new Map([...(now.encoded.get(group) ?? []), ...added]));
      set({ encoded: withinMemory(encoded, now), started: null, encodeFailure: null, gpuBytes });
    } catch (error) {
      underway = null;
      const { aborted } = abort.signal;
      // The same may be missing again later.
      if (aborted) asked = '';
      const failure = !aborted && get().model === model && { keys: missing.keys, message: messageOf(error) };
      set({ started: null, ...(failure && { encodeFailure: failure }) });
    } finally {
      encodeMissing();
    }
  }

  return {
    /** Is to hear of every change of the facts. */
    changed(facts: Facts, before: Facts): void {
      const isAnotherEncoder = facts.model !== before.model || facts.lost !== before.lost;
      if (isAnotherEncoder) asked = '';
      if (isAnotherEncoder || planFacts.some((name) => facts[name] !== before[name])) encodeMissing();
    },
  };
}
