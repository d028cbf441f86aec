import { passKey } from '../clip/encoderPass.ts';
import { clipSkipHiddenStates } from '../road/clipSkip.ts';
import type { EncodedRows, EncoderClient } from '../worker/client.ts';
import type { EncodedPass, Facts } from './facts.ts';
import { lorasKey } from './lorasKey.ts';
import { messageOf } from './notices.ts';
import type { Page } from './page.ts';
import {
  editablePasses,
  isNeeded,
  type MissingPasses,
  missingPasses,
  neededKeys,
  type PlanFacts,
  planFacts,
} from './passPlan.ts';
import { shownChunk, usedLoras } from './reading.ts';
import { shownClipSkip, shownConfig } from './shownSizes.ts';

/** Most bytes of outputs held in memory; an output of the full-size encoder with all its states takes 6.7 MB. */
const mostBytes = 96e6;

function bytesOf({ output }: EncodedPass): number {
  const { lastHiddenState, hiddenStates, attentions } = output;
  const states = [lastHiddenState, ...hiddenStates.values(), ...(attentions ? [attentions] : [])];
  return states.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The output without the states that pictures alone show. */
function withStates({ output, ...rest }: EncodedPass, hiddenStates: readonly number[]): EncodedPass {
  const kept = hiddenStates.flatMap((index) => {
    const state = output.hiddenStates.get(index);
    return state ? [[index, state] as const] : [];
  });
  return { ...rest, output: { lastHiddenState: output.lastHiddenState, hiddenStates: new Map(kept) } };
}

/**
 * Drops the outputs encoded longest ago, down to `mostBytes`. Those that the prompt on show needs keep what its weighting reads, and
 * the chunk on show all that its pictures show.
 */
function withinMemory(encoded: Facts['encoded'], facts: PlanFacts): Facts['encoded'] {
  const needed = neededKeys(facts);
  const shown = shownChunk(facts);
  const hiddenStates = clipSkipHiddenStates(shownClipSkip(facts), shownConfig(facts));
  const loras = lorasKey(usedLoras(facts));
  const newestFirst = [...encoded]
    .flatMap(([group, outputs]) => [...outputs].map(([key, pass]) => ({ group, key, pass })))
    .reverse()
    .sort((a, b) => b.pass.revision - a.pass.revision);
  const changed = new Map<string, Map<string, EncodedPass | null>>();
  let bytes = 0;
  for (const { group, key, pass } of newestFirst) {
    bytes += bytesOf(pass);
    if (bytes <= mostBytes) continue;
    const isNeeded = group === loras && needed.has(key);
    if (isNeeded && (!pass.output.attentions || (shown && passKey(shown.pass) === key))) continue;
    const left = isNeeded ? withStates(pass, hiddenStates) : null;
    changed.set(group, (changed.get(group) ?? new Map()).set(key, left));
  }
  if (changed.size === 0) return encoded;
  const held = [...encoded].map(([group, outputs]) => {
    const changes = changed.get(group);
    if (!changes) return [group, outputs] as const;
    const kept = [...outputs].flatMap(([key, pass]) => {
      const left = changes.has(key) ? changes.get(key)! : pass;
      return left ? [[key, left] as const] : [];
    });
    return [group, new Map(kept)] as const;
  });
  return new Map(held.filter(([, outputs]) => outputs.size > 0));
}

/**
 * Encodes the passes that the page is missing, one call at a time, because the encoder runs one at a time. Once a call ends,
 * the next one asks for the passes that are missing by then.
 */
export function encodeScheduler(client: EncoderClient, { get, set }: Pick<Page, 'get' | 'set'>) {
  /** `keys` of the passes asked for last: as long as the same ones are missing, they are not asked for again. */
  let asked = '';
  let underway: { readonly missing: MissingPasses; readonly abort: AbortController } | null = null;

  function encodeMissing() {
    const facts = get();
    if (underway) {
      // If nobody waits for it any more it is aborted; the rows computed so far stay in the engine.
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
      if (current === model)
        set({ started: { loras: group, key: passKey(passes[0]), output, ready, stats, revision } });
    };
    try {
      const { outputs, stats, heldBytes } = await client.encode(passes, want, {
        loras,
        signal: abort.signal,
        alsoNeeded: editablePasses(get()),
        ...(want.attentions && { onRows }),
      });
      underway = null;
      const now = get();
      if (now.model !== model) return;
      const { revision } = now;
      const added = outputs.map((output, i) => [passKey(passes[i]), { output, stats, revision }] as const);
      const encoded = new Map(now.encoded).set(group, new Map([...(now.encoded.get(group) ?? []), ...added]));
      set({ encoded: withinMemory(encoded, now), started: null, encodeFailure: null, heldBytes });
    } catch (error) {
      underway = null;
      const { aborted } = abort.signal;
      // An aborted encode may be needed again later.
      if (aborted) asked = '';
      const failure = !aborted && get().model === model && { keys: missing.keys, message: messageOf(error) };
      set({ started: null, ...(failure && { encodeFailure: failure }) });
    } finally {
      encodeMissing();
    }
  }

  return {
    /** Must be called at every change of the facts. */
    changed(facts: Facts, before: Facts): void {
      const isAnotherEncoder = facts.model !== before.model || facts.lost !== before.lost;
      if (isAnotherEncoder) asked = '';
      if (isAnotherEncoder || planFacts.some((name) => facts[name] !== before[name])) encodeMissing();
    },
  };
}
