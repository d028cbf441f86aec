import { type Side, sides } from '../prompt/side.ts';
import type { LongReading, ReadingInput } from './facts.ts';
import { inSlices } from './inSlices.ts';
import type { Page } from './page.ts';
import { isBeingRead, isLong, isSameInput, readingInput, readingPrompt, withKnownPasses } from './reading.ts';

/**
 * Reads long prompts in slices, and puts what comes of it among the facts. What a prompt is read from may change meanwhile:
 * the reading of what was before is dropped, so that the latest arrives and no other.
 */
export function longReader({ get, set }: Pick<Page, 'get' | 'set'>) {
  const underway = new Map<Side, { readonly input: ReadingInput; cancel(): void }>();

  function put(side: Side, reading: LongReading | null): void {
    set({ longReadings: { ...get().longReadings, [side]: reading } });
  }

  function begin(side: Side, input: ReadingInput): void {
    const cancel = inSlices(readingPrompt(side, input), (prepared) => {
      underway.delete(side);
      put(side, { input, prepared: withKnownPasses[side](prepared) });
    });
    underway.set(side, { input, cancel });
  }

  return {
    /** Must be called at every change of the facts. */
    changed(): void {
      for (const side of sides) {
        const facts = get();
        const wanted = isBeingRead(facts, side) ? readingInput(facts, side) : undefined;
        const now = underway.get(side);
        if (now && wanted && isSameInput(now.input, wanted)) continue;
        now?.cancel();
        underway.delete(side);
        if (wanted) begin(side, wanted);
        // A long prompt's reading takes more room than all else on the page.
        else if (facts.longReadings[side] && !isLong(facts.prompts[side])) put(side, null);
      }
    },
  };
}
