import type { ReactNode } from 'react';
import type { StudyName } from '../../state/picture/pictureStudies.ts';
import { Judged } from './Judged.tsx';
import { Pipeline } from './Pipeline.tsx';
import styles from './picture.module.css';
import { usePictures, useStudy } from './usePictures.ts';
import { WeightStrip } from './WeightStrip.tsx';
import { WordLooks } from './WordLooks.tsx';

/** Everything that can be drawn beside the row: nothing of it before it is opened. */
export function Studies() {
  return (
    <div className={styles.studies}>
      <StudyPart name="methods" title="Methods side by side">
        <Lead>The first seed, weighed by every method.</Lead>
        <StudyRow name="methods" />
      </StudyPart>
      <StudyPart name="weights" title="A weight from −1 to 3">
        <WeightStrip />
      </StudyPart>
      <FollowPart title="Where a word looks">
        <WordLooks />
      </FollowPart>
      <StudyPart name="layers" title="Layer by layer">
        <Lead>
          The denoiser reads LN(H) of each layer of the text encoder in the place of the last: clip skip in pictures. It
          was trained with the last layer alone.
        </Lead>
        <StudyRow name="layers" />
      </StudyPart>
      <StudyPart name="rows" title="Which rows carry the meaning">
        <Lead>Some of the prompt’s rows alone, with the rows of the empty prompt in the place of all others.</Lead>
        <StudyRow name="rows" />
      </StudyPart>
      <FollowPart title="From text to picture">
        <Pipeline />
      </FollowPart>
    </div>
  );
}

const Lead = ({ children }: { children: ReactNode }) => <p className="muted small">{children}</p>;

function StudyPart({ name, title, children }: { name: StudyName; title: string; children: ReactNode }) {
  const isOpen = usePictures((s) => s.open.has(name));
  const openStudy = usePictures((s) => s.openStudy);
  return (
    <details className={styles.study} open={isOpen} onToggle={(event) => openStudy(name, event.currentTarget.open)}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {isOpen && children}
    </details>
  );
}

/** A part that shows how the first picture of the row came. */
function FollowPart({ title, children }: { title: string; children: ReactNode }) {
  const isOpen = usePictures((s) => s.followers.has(title));
  const follow = usePictures((s) => s.follow);
  return (
    <details className={styles.study} open={isOpen} onToggle={(event) => follow(title, event.currentTarget.open)}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {isOpen && children}
    </details>
  );
}

/** The pictures of a study in a row. */
export function StudyRow({ name }: { name: StudyName }) {
  const takes = useStudy(name);
  const isDrawn = usePictures((s) => s.phase !== 'drawing');
  if (!takes) return <p className="muted">Drawing</p>;
  return (
    <div className={styles.row} data-many aria-busy={!isDrawn}>
      {takes.map(({ label, picture, isStale }, i) => (
        <Judged key={i} name={label} picture={picture} isStale={isStale} />
      ))}
    </div>
  );
}
