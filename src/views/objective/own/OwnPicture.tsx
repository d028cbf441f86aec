import { useMemo, useState } from 'react';
import { ownAddress } from '../../../state/lab/ownWork.ts';
import { type OwnPicture as Own, ownScene, zeroShotCaptions } from '../../../world/ownScene.ts';
import { pictureBytes } from '../../../world/pictureBytes.ts';
import { pictureLength, renderScene } from '../../../world/render.ts';
import { useEmbedded } from '../useEmbedded.ts';
import { useLab } from '../useLab.ts';
import { OwnObjects } from './OwnObjects.tsx';
import { CaptionRanking, PictureRanking } from './OwnRankings.tsx';
import { type Hand, OwnStage } from './OwnStage.tsx';
import { OwnTools } from './OwnTools.tsx';
import styles from './own.module.css';

/** The most lines of typed captions that are ranked. */
const mostTyped = 32;

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, mostTyped);

/** A picture of one's own, which ranks captions, and a caption of one's own, which ranks pictures. */
export function OwnPicture({ isOpen }: { readonly isOpen: boolean }) {
  const { picture, typed, query } = useLab((s) => s.own);
  const changeOwn = useLab((s) => s.changeOwn);
  const setPicture = (next: Own | ((before: Own) => Own)) =>
    changeOwn(({ picture }) => ({ picture: typeof next === 'function' ? next(picture) : next }));
  const [hand, setHand] = useState<Hand>({ does: 'move', colour: 'green' });
  const { pixels, bytes } = useMemo(() => {
    const pixels = new Float32Array(pictureLength);
    renderScene(ownScene(picture), pixels);
    return { pixels, bytes: pictureBytes(pixels) };
  }, [picture]);
  const question = useMemo(() => {
    const own = linesOf(typed);
    const captions = [...new Set([...own, ...zeroShotCaptions(picture)])];
    return { captions, typed: own.length, query, bytes, texts: [...captions, query], pictures: pixels };
  }, [typed, picture, query, pixels, bytes]);
  const { answer, failure } = useEmbedded(question, isOpen);
  return (
    <div className={styles.own}>
      <p className="help">
        Put one or two objects on the picture, or paint on it: its vector v ranks captions (zero-shot), by the model as
        it is now. A caption’s vector u ranks pictures.
      </p>
      <div className={styles.drawing}>
        <OwnStage picture={picture} bytes={bytes} hand={hand} onChange={setPicture} />
        <div className={styles.tools}>
          <OwnTools picture={picture} hand={hand} onHand={setHand} onChange={setPicture} />
          <OwnObjects picture={picture} onChange={setPicture} />
        </div>
      </div>
      <div className={styles.rankings}>
        <div className={styles.ranking}>
          <label className="field">
            <span>Captions of yours, one a line, ranked with every colour and shape</span>
            <textarea rows={3} value={typed} onChange={(event) => changeOwn(() => ({ typed: event.target.value }))} />
          </label>
          {answer && <CaptionRanking answer={answer} />}
        </div>
        <div className={styles.ranking}>
          <label className="field">
            <span>A caption that ranks the pictures of the batch, and yours</span>
            <textarea
              rows={3}
              value={query}
              onChange={(event) => changeOwn(() => ({ query: event.target.value.replace(/\n/g, ' ') }))}
            />
          </label>
          {answer && <PictureRanking answer={answer} />}
        </div>
      </div>
      <LinkNote />
      {failure && <p className="warning">{failure}</p>}
    </div>
  );
}

const tooLong = { captions: 'captions', lines: 'painted lines' } as const;

/** Says what of this a link brings back. */
function LinkNote() {
  const own = useLab((s) => s.own);
  const { leftOut } = useMemo(() => ownAddress(own), [own]);
  if (leftOut.length === 0)
    return <p className="help">The address of this page brings your picture and captions back: copy it as a link.</p>;
  const names = leftOut.map((name) => tooLong[name]).join(' and ');
  return (
    <p className="warning" role="status">
      Your {names} are too long for a link: the address of this page brings back the rest alone.
    </p>
  );
}
