import { useEffect, useState } from 'react';
import { labAddress } from '../../state/lab/labSettings.ts';
import { startLab } from '../../state/lab/startLab.ts';
import { viewHash } from '../../state/view.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Transport } from './LabControls.tsx';
import { LabPicture } from './LabPicture.tsx';
import { LabStatus } from './LabStatus.tsx';
import styles from './objective.module.css';
import { LabContext, useLab } from './useLab.ts';

const lead = (
  <>
    How CLIP learns, live: a small CLIP (a toy, not Stable Diffusion’s) trains in your browser on pictures of coloured
    shapes. Each row of the matrix is a caption, each column a picture, and a cell says how well they go together. The{' '}
    <dfn>objective</dfn> wants the cells of the diagonal, where a caption meets its own picture, to win their row and
    their column.
  </>
);

/** The objective lab: a small CLIP that learns while one looks. */
export function Objective() {
  const [lab] = useState(startLab);
  return (
    <section className="panel" id="objective" aria-labelledby="objective-title">
      <ViewHeader view="objective" lead={lead} />
      <LabContext value={lab}>
        <Training />
        <Address />
        <div className={styles.lab}>
          <div className={styles.top}>
            <Transport />
            <LabStatus />
          </div>
          <LabPicture />
        </div>
      </LabContext>
    </section>
  );
}

/** Trains while the view is on show, and the page is. */
function Training() {
  const show = useLab((s) => s.show);
  const hide = useLab((s) => s.hide);
  useEffect(() => {
    const follow = () => (document.hidden ? hide() : show());
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      hide();
    };
  }, [show, hide]);
  return null;
}

/** Keeps the settings in the address, so that it can be copied. */
function Address() {
  const settings = useLab((s) => s.settings);
  useEffect(() => {
    history.replaceState(history.state, '', viewHash('objective') + labAddress(settings));
  }, [settings]);
  return null;
}
