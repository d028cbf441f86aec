import { exportRefusal } from '../../state/exporting.ts';
import { FileButton } from '../page/FileButton.tsx';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Comparison } from './Comparison.tsx';
import { Export } from './Export.tsx';
import styles from './export.module.css';

const lead = (
  <>
    The <dfn>conditioning</dfn> is what the encoder hands to the U-Net, which paints: a row of numbers for each token
    (diffusers calls it <code>prompt_embeds</code>), here of both prompts, weighted and of one length. Save it for
    diffusers, NumPy or a spreadsheet, with a script that checks the numbers against transformers; or open a
    .safetensors, .npy or .npz file of it to compare with the prompt.
  </>
);

/** Saves the conditioning of both prompts, and compares it with a file. */
export function ExportView() {
  const compared = useFacts((s) => s.compared);
  const openFile = useFacts((s) => s.openFile);
  const refusal = useFacts(exportRefusal);
  return (
    <section className={`panel ${styles.view}`} id="export" aria-labelledby="export-title">
      <ViewHeader view="export" lead={lead}>
        <FileButton
          text="Compare with a file…"
          accept=".safetensors,.npy,.npz"
          onChoose={(file) => void openFile(file)}
        />
      </ViewHeader>
      {compared && <Comparison key={compared.name} />}
      {refusal ? <p className="warning">{refusal}</p> : <Export />}
    </section>
  );
}
