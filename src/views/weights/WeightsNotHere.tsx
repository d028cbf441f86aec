import { prepared } from '../../state/reading.ts';
import type { Method, WeightedPrompt } from '../../weighting/method.ts';
import { methods } from '../../weighting/methods.ts';
import { useFacts } from '../page/useFacts.ts';

/** Says in a picture that no weight changes which one shows them; nothing where no weight is typed. */
export function WeightsNotHere({ what }: { readonly what: string }) {
  const isTyped = useFacts(
    (s) => prepared(s, s.side)?.texts.some(({ weighted }) => weighted.chunks.some(isWeighed)) ?? false,
  );
  const method = useFacts((s) => methods[s.options.weighting]);
  const hasOthers = useFacts(
    (s) =>
      prepared(s, s.side)?.texts.some(({ weighted }) => encodesOthers(methods[s.options.weighting], weighted)) ?? false,
  );
  return isTyped ? (
    <p className="help">
      Weights do not change {what}: they act on what comes out of the encoder.{' '}
      {hasOthers && `${method.label} also encodes other versions of the prompt for that, which are not shown here. `}
      <a href="#weights">Weights</a> shows what they do.
    </p>
  ) : null;
}

/** Whether a method has more encoded than the prompt itself: versions with words masked, removed or changed. */
const encodesOthers = (method: Method, prompt: WeightedPrompt): boolean =>
  method.versions(prompt).length > 1 || (method.wordChanges?.(prompt).length ?? 0) > 0;

function isWeighed({ perTokenWeights }: { readonly perTokenWeights: Float64Array }): boolean {
  return perTokenWeights.some((weight) => weight !== 1);
}
