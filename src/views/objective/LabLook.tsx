import { type CSSProperties, useId, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { Lab } from '../../state/lab/labStore.ts';
import type { LabBatch, LabFrame, Look, LookRequest } from '../../worker/lab/labMessages.ts';
import { pictureOfBytes } from '../../world/pictureBytes.ts';
import { percent } from '../page/numbers.ts';
import { useDark } from '../page/useFacts.ts';
import type { ColourScale } from '../pictures/color.ts';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { probabilityScale, signedScale } from '../pictures/valueScales.ts';
import { roundUp } from './cells.ts';
import styles from './look.module.css';
import { Thumbnails } from './Thumbnails.tsx';
import { useLabAnswer } from './useEmbedded.ts';

interface CellProps {
  readonly frame: LabFrame;
  readonly batch: LabBatch;
  readonly row: number;
  readonly column: number;
}

const largestOf = (values: Float64Array) => values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/** The cell's two vectors, and their products, whose sum is its cosine. */
export function LabVectors({ frame, row, column }: Pick<CellProps, 'frame' | 'row' | 'column'>) {
  const { E } = frame;
  const dark = useDark();
  const { u, v, products } = useMemo(() => {
    const u = frame.u.slice(row * E, (row + 1) * E);
    const v = frame.v.slice(column * E, (column + 1) * E);
    return { u, v, products: u.map((value, e) => value * v[e]) };
  }, [frame, row, column, E]);
  const reach = roundUp(Math.max(largestOf(u), largestOf(v)));
  const rows = [
    { name: 'u', help: `caption ${row + 1}`, values: u, reach },
    { name: 'v', help: `picture ${column + 1}`, values: v, reach },
    { name: 'u ⊙ v', help: 'products', values: products, reach: roundUp(largestOf(products)) },
  ];
  return (
    <figure>
      <figcaption>
        <b>The two vectors</b>
        <span className="muted">{E} numbers each, of length 1; the products add up to the cosine</span>
      </figcaption>
      <div className={styles.vectors}>
        {rows.map(({ name, help, values, reach }) => (
          <div key={name}>
            <span>
              <i>{name}</i> <span className="muted">{help}</span>
            </span>
            <Pixels
              values={values}
              columns={E}
              scale={signedScale(reach, dark)}
              label={`${name}, ${help}: ${E} numbers from −${reach} to ${reach}`}
            />
            <span className="muted">±{reach}</span>
          </div>
        ))}
      </div>
    </figure>
  );
}

interface PixelsProps {
  /** [·, columns] */
  readonly values: Float64Array;
  readonly columns: number;
  readonly scale: ColourScale;
  readonly label: string;
}

/** Values as coloured cells, scaled by CSS. */
function Pixels({ values, columns, scale, label }: PixelsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = values.length / columns;
  useLayoutEffect(() => {
    const pixels = heatmapPixels({ values, stride: columns, rows: range(rows), columns: range(columns), scale });
    canvas.current?.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  }, [values, rows, columns, scale]);
  return <canvas ref={canvas} className={styles.pixels} width={columns} height={rows} role="img" aria-label={label} />;
}

const ask = (lab: Lab, { caption, picture }: LookRequest) => lab.getState().look({ caption, picture });

/** The attention so many layers before the last; of a tower with fewer layers, that of its first. */
const attentionAt = (byLayer: Look['caption'], before: number) => byLayer[Math.max(0, byLayer.length - 1 - before)];

/** A token as it is read: CLIP marks the end of a word. */
const written = (token: string) => token.replace('</w>', '').replace(/^<\|(\w+)\|>$/, '$1');

/** The attention of the cell's caption and of its picture, each in its tower, by the model as it is. */
export function LabAttention({ batch, row, column }: Pick<CellProps, 'batch' | 'row' | 'column'>) {
  const question = useMemo(
    () => ({ caption: batch.captions[row], picture: pictureOfBytes(batch.pictures, column), batch, row, column }),
    [batch, row, column],
  );
  const { answer, failure } = useLabAnswer<typeof question, Look>(ask, question, true);
  const [before, setBefore] = useState(0);
  const id = useId();
  if (failure) return <p className="warning">{failure}</p>;
  if (!answer) return null;
  const { question: of, embedded } = answer;
  const depth = Math.max(embedded.caption.length, embedded.picture.length);
  return (
    <figure>
      <figcaption>
        <b>Attention</b>
        <span className="muted">of the one row that becomes each vector, the mean over the heads</span>
        <span className="field inline">
          <label htmlFor={id}>Layer</label>
          <select id={id} value={before} onChange={(event) => setBefore(Number(event.target.value))}>
            {range(depth).map((before) => (
              <option key={before} value={before}>
                {before === 0 ? 'the last' : `${before} before the last`}
              </option>
            ))}
          </select>
        </span>
      </figcaption>
      <div className={styles.attention}>
        <CaptionLook tokens={embedded.tokens} attention={attentionAt(embedded.caption, before)} number={of.row + 1} />
        <PictureLook
          pictures={of.batch.pictures}
          column={of.column}
          attention={attentionAt(embedded.picture, before)}
        />
      </div>
    </figure>
  );
}

interface CaptionLookProps {
  readonly tokens: readonly string[];
  /** [tokens] */
  readonly attention: Float64Array;
  readonly number: number;
}

function CaptionLook({ tokens, attention, number }: CaptionLookProps) {
  return (
    <ol className={styles.tokens} aria-label={`Attention of caption ${number}’s end`}>
      {tokens.map((token, i) => (
        <li key={i} style={{ '--share': attention[i] } as CSSProperties}>
          {written(token)} <span>{percent(Number(attention[i].toFixed(2)))}</span>
        </li>
      ))}
    </ol>
  );
}

interface PictureLookProps {
  /** [N, S, S, 4] RGBA */
  readonly pictures: Uint8ClampedArray<ArrayBuffer>;
  readonly column: number;
  /** [1 + patches] */
  readonly attention: Float64Array;
}

function PictureLook({ pictures, column, attention }: PictureLookProps) {
  const patches = useMemo(() => attention.slice(1), [attention]);
  const side = Math.sqrt(patches.length);
  const most = largestOf(patches);
  return (
    <div className={styles.picture}>
      <Thumbnails pictures={pictures} columns={[column]} label="" />
      <Pixels
        values={patches}
        columns={side}
        scale={probabilityScale('linear', most)}
        label={`Attention of picture ${column + 1}’s class token to ${side} × ${side} patches, at most ${percent(Number(most.toFixed(3)))}`}
      />
      <p className="muted small">
        brightest patch {percent(Number(most.toFixed(3)))}, the class token itself{' '}
        {percent(Number(attention[0].toFixed(2)))}
      </p>
    </div>
  );
}
