import { shownObjective } from '../../../state/lab/labNumbers.ts';
import { shownLogScale } from '../../../state/lab/labStore.ts';
import { objectiveFile, objectiveFileName } from '../../../state/lab/objectiveFile.ts';
import { CopyButton } from '../../page/CopyButton.tsx';
import { saveFile } from '../../pictures/saveFile.ts';
import { useLab, useLabStore } from '../useLab.ts';
import script from './open_clip_loss.py?raw';
import styles from './openClip.module.css';

/** The batch on show for open_clip, and the program that computes its loss there. */
export function OpenClip() {
  const lab = useLabStore();
  const isThere = useLab((s) => s.frame !== null);
  const save = () => {
    const facts = lab.getState();
    const { frame, run } = facts;
    if (!frame) return;
    const shown = shownObjective(run.settings.objective, frame, shownLogScale(facts));
    saveFile(objectiveFileName, objectiveFile(shown, frame), 'application/octet-stream');
  };
  return (
    <div className={styles.openClip}>
      <p className="help">
        The rows u and v of the batch on show, −ln τ and the loss as the page computes it, in float64; and a program
        that has open_clip’s ClipLoss or SigLipLoss compute it. Both agree to 1e-6 and better.
      </p>
      <div className="toolbar">
        <button type="button" className="primary" disabled={!isThere} onClick={save}>
          Save {objectiveFileName}
        </button>
        <button type="button" onClick={() => saveFile('open_clip_loss.py', script, 'text/x-python')}>
          Save open_clip_loss.py
        </button>
        <CopyButton text={script} label="Program for open_clip" />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, and the keyboard must reach them */}
      <section tabIndex={0} aria-label="Program that uses open_clip">
        <pre>{script}</pre>
      </section>
    </div>
  );
}
