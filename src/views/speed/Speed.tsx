import { editedRows } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Timing } from './Timing.tsx';

/** Times the encoder on this machine, stage by stage. */
export function Speed() {
  const profiled = useFacts((s) => s.profiled);
  const hasModel = useFacts((s) => s.model !== null && s.lost === null);
  const length = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  const edited = useFacts(editedRows);
  const profile = useFacts((s) => s.profile);
  const isRunning = profiled?.task.phase === 'running';
  return (
    <section className="panel" id="speed" aria-labelledby="speed-title">
      <ViewHeader view="speed" lead={<Lead hasEdit={edited !== undefined} />}>
        <div className="toolbar">
          <button
            type="button"
            disabled={!hasModel || isRunning}
            onClick={() => void profile({ first: 0, end: length })}
          >
            Time a whole pass
          </button>
          <button
            type="button"
            disabled={!hasModel || !edited || isRunning}
            onClick={() => edited && void profile(edited)}
          >
            Time an edit
          </button>
        </div>
      </ViewHeader>
      {profiled && <Timing profiled={profiled} />}
    </section>
  );
}

function Lead({ hasEdit }: { readonly hasEdit: boolean }) {
  return (
    <>
      How long each stage of the encoder takes on this machine.{' '}
      {hasEdit
        ? 'An edit times the rows that change when the last word does: those before it stay as they are, and the padding follows later.'
        : 'There is no edit to time: the prompt has no word, or every row changes because no mask is causal.'}{' '}
      <a href="#view=anatomy">Anatomy</a> shows the same times beside its stages.
    </>
  );
}
