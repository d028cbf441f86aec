import { exact } from '../page/numbers.ts';
import { useReadAloud } from '../page/useReadAloud.ts';
import { usePointedAmong } from '../pictures/pointed.ts';
import { entropy, type ShownMap, strongestKeys } from './attentionMaps.ts';

/** Says how many tokens equal shares would be spread over as widely, from the entropy of a row. */
function spread(map: Float32Array, L: number, query: number): string {
  const bits = entropy(map, L, query);
  const tokens = (2 ** bits).toFixed(1);
  return `${tokens} ${tokens === '1.0' ? 'token' : 'tokens'} (entropy ${bits.toFixed(2)} bits)`;
}

/**
 * Shows query, key and probability of the cell that is pointed at. For a query alone it shows the keys that it attends
 * to most.
 */
export function AttentionReadout({ map, mask, L, labels }: ShownMap) {
  const { query, key } = usePointedAmong(L);
  const readAloud = useReadAloud();
  const name = (token: number) => `${token} ${labels[token]}`;
  if (query === null && key === null)
    return <p className="readout muted">Point at a cell or a token, or move over the picture with the arrow keys.</p>;
  const value = query !== null && key !== null ? query * L + key : null;
  return (
    <div className="readout" aria-live={readAloud}>
      <p>
        {query !== null && (
          <>
            Query <b className="query">{name(query)}</b>
          </>
        )}
        {value !== null && ', '}
        {key !== null && (
          <>
            {value === null ? 'Key' : 'key'} <b className="key">{name(key)}</b>
          </>
        )}
        {value !== null && (
          <>
            : <b data-testid="value">{mask[value] === 0 ? 'masked' : exact(map[value])}</b>
          </>
        )}
      </p>
      {query !== null && (
        <p className="muted">
          Spread over about {spread(map, L, query)}; most on{' '}
          {strongestKeys(map, L, query, 3)
            .map((j) => `${name(j)} (${map[query * L + j].toFixed(3)})`)
            .join(', ')}
        </p>
      )}
    </div>
  );
}
