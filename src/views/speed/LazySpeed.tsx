import { editedRows } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Speed.tsx');

/** Where the time of an encode goes; loaded and measured when it is asked for. */
export function LazySpeed() {
  const profiled = useFacts((s) => s.profiled);
  const hasModel = useFacts((s) => s.model !== null && s.lost === null);
  const all = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  const edited = useFacts(editedRows);
  const profile = useFacts((s) => s.profile);
  const { part, standIn } = usePart(profiled !== null, load);
  const isRunning = profiled?.task.phase === 'running';

  return (
    <section className="panel" id="speed" aria-labelledby="speed-title" tabIndex={-1}>
      <header>
        <h2 id="speed-title">Speed</h2>
        <div className="toolbar">
          <button type="button" disabled={!hasModel || isRunning} onClick={() => void profile({ first: 0, end: all })}>
            Time a whole pass
          </button>
          <button
            type="button"
            disabled={!hasModel || !edited || isRunning}
            title={
              edited
                ? 'The rows that change when the last word does: those before stay as they are, the padding follows later'
                : 'Of an edit there is nothing to time where there is no word, or where every row changes because no mask is causal'
            }
            onClick={() => edited && void profile(edited)}
          >
            Time an edit
          </button>
        </div>
      </header>
      {!profiled ? (
        <p className="help">
          Encodes a few times and shows where the time goes by the GPU’s own clock: each stage’s share, its arithmetic
          and memory rates, and the kernel that computes it.
        </p>
      ) : part ? (
        <part.Speed profiled={profiled} />
      ) : (
        standIn
      )}
    </section>
  );
}
