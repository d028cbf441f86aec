import type { Side } from '../../prompt/side.ts';
import type { PreparedPrompt } from '../../road/preparedPrompt.ts';
import { prepared } from '../../state/reading.ts';
import { useFacts } from './useFacts.ts';
import { useLast } from './useLast.ts';

/** Gives the reading of a side's prompt, or, while a long prompt is read, the one before. */
export function useReading(side: Side): { readonly reading: PreparedPrompt | undefined; readonly isStale: boolean } {
  const now = useFacts((s) => prepared(s, side));
  const reading = useLast(now);
  return { reading, isStale: reading !== now };
}
