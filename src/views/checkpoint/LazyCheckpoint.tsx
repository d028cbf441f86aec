import { requestName } from '../../state/facts.ts';
import { FileButton } from '../page/FileButton.tsx';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Checkpoint.tsx');

/** Examines a checkpoint; its code is loaded when an examination is asked for. */
export function LazyCheckpoint() {
  const examined = useFacts((s) => s.examined);
  const inUse = useFacts((s) => s.modelRequest);
  const isMissing = useFacts((s) => s.adapter.phase === 'missing');
  const examine = useFacts((s) => s.examine);
  const close = useFacts((s) => s.closeExamination);
  const { part, standIn } = usePart(examined !== null, load);
  const isRunning = examined?.task.phase === 'running' || examined?.other?.task.phase === 'running';
  const request = inUse && inUse.kind !== 'synthetic' ? inUse : null;

  return (
    <section className="panel" id="checkpoint" aria-labelledby="checkpoint-title" tabIndex={-1}>
      <header>
        <h2 id="checkpoint-title">Checkpoint</h2>
        <div className="toolbar">
          {request && (
            <button type="button" disabled={isRunning} onClick={() => void examine(request)}>
              Examine {requestName(request)}
            </button>
          )}
          <FileButton
            text="Examine a file…"
            disabled={isRunning || isMissing}
            onChoose={(file) => void examine({ kind: 'file', file })}
          />
          {examined && !isRunning && (
            <button type="button" className="quiet" onClick={close}>
              Close
            </button>
          )}
        </div>
      </header>
      {!examined ? (
        <p className="help">
          Examines the text encoder of a checkpoint, which may be damaged: missing and extra tensors, shapes and types,
          NaN and infinity, broken position ids, statistics and a hash. It also compares a second encoder with it, layer
          by layer. Nothing leaves this machine, and the model in use stays.
        </p>
      ) : part ? (
        <part.Checkpoint examined={examined} />
      ) : (
        standIn
      )}
    </section>
  );
}
