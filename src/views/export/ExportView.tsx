import { FileButton } from '../page/FileButton.tsx';
import { useFacts } from '../page/useFacts.ts';
import { Comparison } from './Comparison.tsx';
import { Export } from './Export.tsx';

/** Saves the conditioning of both prompts, and compares it with a file. */
export function ExportView() {
  const compared = useFacts((s) => s.compared);
  const openFile = useFacts((s) => s.openFile);
  return (
    <section className="panel" id="export" aria-labelledby="export-title">
      <header>
        <h2 id="export-title">Export</h2>
        <FileButton
          text="Compare with a file…"
          accept=".safetensors,.npy,.npz"
          onChoose={(file) => void openFile(file)}
        />
      </header>
      <p className="help">
        The conditioning is what the encoder hands to the image model: a row of numbers for each token, here of both
        prompts, weighted and of one length. Save it for diffusers, NumPy or a spreadsheet, with a script that checks
        the numbers against transformers; or open a .safetensors, .npy or .npz file with prompt_embeds in it to compare
        it with the prompt.
      </p>
      {compared && <Comparison key={compared.name} />}
      <Export />
    </section>
  );
}
