import { prepared } from '../../state/reading.ts';
import { useFacts } from '../page/useFacts.ts';

/** Says in a picture that no weight changes which one shows them; nothing where no weight is typed. */
export function WeightsNotHere({ what }: { readonly what: string }) {
  const isTyped = useFacts(
    (s) => prepared(s, s.side)?.texts.some(({ weighted }) => weighted.chunks.some(isWeighed)) ?? false,
  );
  return isTyped ? (
    <p className="help">
      Weights do not change {what}: they act on what comes out of the encoder. <a href="#weights">Weights</a> shows what
      they do.
    </p>
  ) : null;
}

function isWeighed({ perTokenWeights }: { readonly perTokenWeights: Float64Array }): boolean {
  return perTokenWeights.some((weight) => weight !== 1);
}
