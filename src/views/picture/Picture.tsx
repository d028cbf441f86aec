import { useState } from 'react';
import { startPictures } from '../../state/picture/startPictures.ts';
import { usedPictureModel } from '../../state/picture/usedPictureModel.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Controls } from './Controls.tsx';
import { DrawnAsTyped } from './DrawnAsTyped.tsx';
import { HonestWords } from './HonestWords.tsx';
import { PictureRow } from './PictureRow.tsx';
import styles from './picture.module.css';
import { Studies } from './Studies.tsx';
import { PicturesContext, usePictures } from './usePictures.ts';

/** Draws the prompts, and has a judge say what is to be seen. */
export function Picture() {
  const [pictures] = useState(startPictures);
  return (
    <section className={`panel ${styles.view}`} id="picture" aria-labelledby="picture-title">
      <PicturesContext value={pictures}>
        <ViewHeader
          view="picture"
          lead={
            <>
              What the prompt draws: each picture starts from the noise of its <dfn>seed</dfn>, and a small denoiser
              takes the noise away in steps while it looks at the prompt’s rows. <HonestWords />
            </>
          }
        />
        <DrawnAsTyped />
        <Message />
        <Drawn />
      </PicturesContext>
    </section>
  );
}

/** Says why nothing is drawn. */
function Message() {
  const message = usePictures((s) => s.message);
  if (!message) return null;
  return (
    <p className="notice" data-severity="error" role="alert">
      {message}
    </p>
  );
}

/** Everything that is drawn, and what it is drawn by; nothing of it where there is no model. */
function Drawn() {
  const isMissing = usePictures((s) => s.phase === 'missing');
  if (isMissing) return null;
  return (
    <>
      <OtherModel />
      <Controls />
      <PictureRow />
      <Studies />
    </>
  );
}

/** Says which text encoder draws, where another one is chosen on the page. */
function OtherModel() {
  const sentence = useFacts(usedPictureModel);
  return sentence ? <p className="warning">{sentence}</p> : null;
}
