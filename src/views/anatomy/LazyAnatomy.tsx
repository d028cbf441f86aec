import { useState } from 'react';
import { editedRows } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = () => import('./Anatomy.tsx');

/** The encoder stage by stage, with this prompt's numbers; loaded, and read back or timed, when it is asked for. */
export function LazyAnatomy() {
  const [isOpen, setIsOpen] = useState(false);
  const profiled = useFacts((s) => s.profiled);
  const hasModel = useFacts((s) => s.model !== null && s.lost === null);
  const length = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  const edited = useFacts(editedRows);
  const profile = useFacts((s) => s.profile);
  const { part, standIn } = usePart(isOpen, load);
  const isRunning = profiled?.task.phase === 'running';
  const time = (rows: { first: number; end: number }) => {
    setIsOpen(true);
    void profile(rows);
  };

  return (
    <section className="panel" id="anatomy" aria-labelledby="anatomy-title" tabIndex={-1}>
      <header>
        <h2 id="anatomy-title">Anatomy</h2>
        <div className="toolbar">
          <button type="button" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            Open the encoder
          </button>
          <button type="button" disabled={!hasModel || isRunning} onClick={() => time({ first: 0, end: length })}>
            Time a whole pass
          </button>
          <button
            type="button"
            disabled={!hasModel || !edited || isRunning}
            title={
              edited
                ? 'The rows that change when the last word does: those before stay as they are, the padding follows later'
                : 'There is nothing to time of an edit where there is no word, or where every row changes because no mask is causal'
            }
            onClick={() => edited && time(edited)}
          >
            Time an edit
          </button>
        </div>
      </header>
      {!isOpen ? (
        <p className="help">
          The encoder as a diagram, from tokens to conditioning: each stage’s equation, its matrices for this prompt,
          the sum behind any cell, its code on the GPU, and how long it takes.
        </p>
      ) : part ? (
        <part.Anatomy />
      ) : (
        standIn
      )}
    </section>
  );
}
