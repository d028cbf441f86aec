import { useMemo, useState } from 'react';
import { lookSide, looksAtRows } from '../../pictures/drawing.ts';
import { objectOfMost, silhouettes } from '../../pictures/pointing.ts';
import { shownChunk } from '../../state/reading.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import type { FollowedPicture, LookedRow } from '../../worker/pictures/pictureMessages.ts';
import { judgePicture } from '../../world/judge/judge.ts';
import { pictureOfBytes } from '../../world/pictureBytes.ts';
import { pictureSize } from '../../world/render.ts';
import { colours, shapes } from '../../world/worldWords.ts';
import { percent } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { pointed, tokenAt, usePointed } from '../pictures/pointed.ts';
import { Canvas } from './Canvas.tsx';
import styles from './picture.module.css';
import { usePictures } from './usePictures.ts';

/** A row that can be pointed at, or several that are told of as one. */
interface LookGroup {
  readonly label: string;
  readonly rows: readonly number[];
}

function groupsOf({ rows }: FollowedPicture): LookGroup[] {
  const groups: LookGroup[] = [];
  const pads: number[] = [];
  for (const [row, { kind, text }] of rows.entries())
    if (kind === 'pad') pads.push(row);
    else groups.push({ label: kind === 'text' ? (text ?? '').replace('</w>', '') : kind.toUpperCase(), rows: [row] });
  return pads.length > 0 ? [...groups, { label: `PAD × ${pads.length}`, rows: pads }] : groups;
}

const namedWords: readonly string[] = [...colours, ...shapes];

/** The row that is told of where nobody chose one: that of the first colour or shape, else the first after BOS. */
const firstRow = (groups: readonly LookGroup[]) => groups.find(({ label }) => namedWords.includes(label))?.rows[0] ?? 1;

/** Whether a row of the picture is that of a token of the page: its kind, and its place in the prompt. */
const isRowOf = (row: LookedRow, token: PromptToken) =>
  row.kind === token.kind &&
  row.range?.start === token.range?.start &&
  row.range?.end === token.range?.end &&
  (row.kind !== 'text' || row.text === token.text);

/** The picture, dark where nothing looks at the rows and as it is where most does. */
function litPicture({ bytes }: FollowedPicture, looks: Float64Array): Uint8ClampedArray<ArrayBuffer> {
  const most = Math.max(...looks) || 1;
  const least = Math.min(...looks);
  const scale = pictureSize / lookSide;
  return bytes.map((value, i) => {
    if (i % 4 === 3) return value;
    const pixel = i >> 2;
    const square =
      Math.floor(Math.floor(pixel / pictureSize) / scale) * lookSide + Math.floor((pixel % pictureSize) / scale);
    return value * (0.12 + (0.88 * (looks[square] - least)) / (most - least || 1));
  });
}

/** Names the place that is looked from most: an object, or the ground, by the measure that the model is judged by. */
function placeNames({ bytes }: FollowedPicture): (looks: Float64Array) => string {
  const picture = pictureOfBytes(bytes, 0);
  const seen = judgePicture(picture);
  const covered = silhouettes(picture, seen);
  return (looks) => {
    const place = objectOfMost(looks, covered);
    return place === null ? 'on the ground' : `in the ${seen.objects[place].colour} ${seen.objects[place].shape}`;
  };
}

/** The first picture of the row, lit where its pixels look at a word. */
export function WordLooks() {
  const followed = usePictures((s) => s.followed?.picture);
  const [row, setRow] = useState<number | null>(null);
  const { query } = usePointed();
  const tokens = useFacts((s) => (s.side === 'positive' ? shownChunk(s)?.chunk.tokens : undefined));
  const groups = useMemo(() => (followed ? groupsOf(followed) : []), [followed]);
  const placeOfMost = useMemo(() => followed && placeNames(followed), [followed]);
  if (followed === undefined) return <p className="muted">Drawing</p>;
  if (!followed || !placeOfMost) return <p className="warning">The numbers of this prompt are not finite.</p>;
  // The page may show another step's text than the last, and other chunks than the first: a token is the row of its place in the prompt.
  const hovered = query === null ? undefined : tokens?.[query];
  const own = hovered ? followed.rows.findIndex((row) => isRowOf(row, hovered)) : -1;
  const at = own >= 0 ? own : (row ?? firstRow(groups));
  const chosen = groups.find(({ rows }) => rows.includes(at)) ?? groups[0];
  const pointAt = (row: number) => {
    setRow(row);
    const token = tokens?.findIndex((token) => isRowOf(followed.rows[row], token)) ?? -1;
    pointed.over(token < 0 ? null : tokenAt(token));
  };
  const looks = looksAtRows(followed.looks, chosen.rows);
  const share = chosen.rows.reduce((sum, row) => sum + followed.rows[row].share, 0);
  return (
    <>
      <p className="muted small">
        Each square of the picture looks at the prompt’s rows in cross-attention. Here all heads, layers and steps with
        the last text are summed up, as DAAM does. This model was taught to look at an object’s words from inside it;
        Stable Diffusion was not. Point at a word, here or above, or move to it by keys.
      </p>
      <div className={styles.looks}>
        <div className={styles.lit}>
          <Canvas
            bytes={litPicture(followed, looks)}
            width={pictureSize}
            label={`Where the picture looks at “${chosen.label}”: most ${placeOfMost(looks)}`}
          />
        </div>
        <div>
          <div className={styles.words} onPointerLeave={() => pointed.over(null)}>
            {groups.map((group) => (
              <button
                key={group.rows[0]}
                type="button"
                className="small"
                aria-pressed={group === chosen}
                onPointerEnter={() => pointAt(group.rows[0])}
                onFocus={() => setRow(group.rows[0])}
                onClick={() => setRow(group.rows[0])}
              >
                {group.label}
              </button>
            ))}
          </div>
          <p className="readout">
            <b>{chosen.label}</b> gets {percent(share)} of all looks, and most of them {placeOfMost(looks)}.
          </p>
        </div>
      </div>
    </>
  );
}
