import { useState } from 'react';
import { FileButton } from '../page/FileButton.tsx';
import { usePart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';

const load = async () => ({
  ...(await import('./Export.tsx')),
  ...(await import('./Comparison.tsx')),
});

/**
 * Exports the conditioning, and compares it with a file. Its code is loaded, and its passes are encoded, when it is
 * opened.
 */
export function LazyExport() {
  const compared = useFacts((s) => s.compared);
  const openFile = useFacts((s) => s.openFile);
  const [isOpen, setIsOpen] = useState(false);
  const isNeeded = isOpen || compared !== null;
  const { part, standIn } = usePart(isNeeded, load);

  return (
    <section className="panel" id="export" aria-labelledby="export-title" tabIndex={-1}>
      <header>
        <h2 id="export-title">Export</h2>
        <div className="toolbar">
          <button
            type="button"
            aria-expanded={isOpen}
            aria-controls={isOpen ? 'export-file' : undefined}
            onClick={() => setIsOpen(!isOpen)}
          >
            Save the conditioning
          </button>
          <FileButton
            text="Compare with a file…"
            accept=".safetensors,.npy,.npz"
            title=".safetensors, .npy or .npz with prompt_embeds in it"
            onChoose={(file) => void openFile(file)}
          />
        </div>
      </header>
      {!isNeeded ? (
        <p className="help">
          Both prompts, weighted and of one length, as a file for diffusers, NumPy or a spreadsheet, with a script that
          checks the numbers against transformers. A file of prompt embeds is opened to be compared with the prompt.
        </p>
      ) : part ? (
        <>
          {isOpen && <part.Export />}
          {compared && <part.Comparison key={compared.name} />}
        </>
      ) : (
        standIn
      )}
    </section>
  );
}
