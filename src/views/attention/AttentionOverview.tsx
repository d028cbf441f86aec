import {
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { ClipTextConfig } from '../../clip/config.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
import { useDark } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import type { ColourScale } from '../pictures/color.ts';
import heatmapStyles from '../pictures/heatmap.module.css';
import { Legend } from '../pictures/Legend.tsx';
import { heatmapPixels } from '../pictures/pixels.ts';
import { SavePng } from '../pictures/SavePicture.tsx';
import styles from './attention.module.css';

interface AttentionOverviewProps {
  /** [N, h, L, L] */
  readonly attentions: Float32Array;
  /** [L, L] */
  readonly mask: Uint8Array;
  readonly config: ClipTextConfig;
  readonly shown: readonly number[];
  readonly scale: ColourScale;
  readonly layer: number;
  /** Null if the mean over heads is shown; then the whole row is marked. */
  readonly head: number | null;
  onSelect(selection: { layer: number; head: number }): void;
}

const gap = 3;
const largestTile = 72;

/** Draws every head of every layer on one canvas: layers are rows, heads are columns. */
export function AttentionOverview({
  attentions,
  mask,
  config: { numHiddenLayers: N, numAttentionHeads: h, maxPositionEmbeddings: L },
  shown,
  scale,
  layer,
  head,
  onSelect,
}: AttentionOverviewProps) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [over, setOver] = useState<{ layer: number; head: number } | null>(null);
  const width = useWidth(frame);
  const tile = Math.max(4, Math.min(largestTile, Math.floor((width - gap * (h - 1)) / h)));
  const pitch = tile + gap;

  useOverviewPicture(canvas, { attentions, mask, shown, scale, N, h, L, tile, visible: width > 0 });

  const at = (event: PointerEvent) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const row = Math.floor((event.clientY - box.top) / pitch);
    const column = Math.floor((event.clientX - box.left) / pitch);
    return row >= 0 && row < N && column >= 0 && column < h ? { layer: row, head: column } : null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = moveOf(event);
    if (!move) return;
    event.preventDefault();
    onSelect({ layer: clampIndex(layer + move.rows, N), head: clampIndex((head ?? 0) + move.columns, h) });
  };
  return (
    <div className={styles.overview}>
      <div className={styles.overviewHead}>
        <h3>
          {N} layers × {h} heads
        </h3>
        <span className="muted">{over && `layer ${over.layer + 1}, head ${over.head + 1}`}</span>
      </div>
      <div ref={frame}>
        <div
          className={styles.overviewPicture}
          role="application"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys choose a head
          tabIndex={0}
          aria-label="All heads: arrow keys choose one"
          style={{ width: h * pitch - gap, height: N * pitch - gap }}
          onPointerMove={(event) => setOver(at(event))}
          onPointerLeave={() => setOver(null)}
          onClick={(event) => {
            const chosen = at(event as unknown as PointerEvent);
            if (chosen) onSelect(chosen);
          }}
          onKeyDown={onKeyDown}
        >
          <canvas
            ref={canvas}
            role="img"
            aria-label={`${N * h} attention maps: one row for each layer, one column for each head.`}
          />
          <div
            className={styles.tileMark}
            style={{
              top: layer * pitch,
              left: (head ?? 0) * pitch,
              width: head === null ? h * pitch - gap : tile,
              height: tile,
            }}
          />
          {over && (
            <div
              className={`${styles.tileMark} ${styles.hover}`}
              style={{ top: over.layer * pitch, left: over.head * pitch, width: tile, height: tile }}
            />
          )}
        </div>
      </div>
      <div className={heatmapStyles.underPicture}>
        <Legend title="Probability" scale={scale} />
        <SavePng
          canvas={canvas}
          text={{
            title: `${N} layers × ${h} heads`,
            axes: { rows: 'layer', columns: 'head' },
            legend: { title: 'Probability', scale },
          }}
        />
      </div>
    </div>
  );
}

interface OverviewPicture extends Pick<AttentionOverviewProps, 'attentions' | 'mask' | 'shown' | 'scale'> {
  readonly N: number;
  readonly h: number;
  readonly L: number;
  /** Side of one head's picture in CSS pixels. */
  readonly tile: number;
  readonly visible: boolean;
}

/** Draws the pictures of all heads on `canvas`, layers as rows, heads as columns, `gap` pixels apart. */
function useOverviewPicture(
  canvas: RefObject<HTMLCanvasElement | null>,
  { attentions, mask, shown, scale, N, h, L, tile, visible }: OverviewPicture,
): void {
  const dark = useDark();
  const pixels = useRef<Uint8ClampedArray<ArrayBuffer> | undefined>(undefined);
  // One picture of [N·h·n, n] pixels: the heads, one below the other.
  const stack = useMemo(() => {
    const n = shown.length;
    if (n === 0) return null;
    const picture = { values: attentions, matrices: N * h, stride: L, rows: shown, columns: shown, scale, mask };
    pixels.current = heatmapPixels({ ...picture, into: pixels.current });
    return new ImageData(pixels.current, n, N * h * n);
  }, [attentions, mask, shown, scale, N, h, L]);

  const masked = useRef<{ dark: boolean; colour: string } | null>(null);
  const scratch = useRef<HTMLCanvasElement | null>(null);
  useLayoutEffect(() => {
    const target = canvas.current?.getContext('2d');
    if (!target || !canvas.current || !stack || !visible) return;
    const n = stack.width;
    scratch.current ??= document.createElement('canvas');
    scratch.current.width = n;
    scratch.current.height = stack.height;
    scratch.current.getContext('2d')?.putImageData(stack, 0, 0);
    const ratio = devicePixelRatio;
    const pitch = tile + gap;
    canvas.current.width = Math.round((h * pitch - gap) * ratio);
    canvas.current.height = Math.round((N * pitch - gap) * ratio);
    target.imageSmoothingEnabled = n > tile * ratio;
    // Better smoothing takes three times as long, and shows only if a picture is shrunk to less than half its size.
    target.imageSmoothingQuality = n > 2 * tile * ratio ? 'medium' : 'low';
    // The colour is read once a theme, because reading it computes the styles of the whole page.
    if (masked.current?.dark !== dark)
      masked.current = { dark, colour: getComputedStyle(canvas.current).getPropertyValue('--masked') };
    target.fillStyle = masked.current.colour;
    const side = Math.round(tile * ratio);
    for (let row = 0; row < N; row++)
      for (let column = 0; column < h; column++) {
        const [x, y] = [Math.round(column * pitch * ratio), Math.round(row * pitch * ratio)];
        target.fillRect(x, y, side, side);
        target.drawImage(scratch.current, 0, (row * h + column) * n, n, n, x, y, side, side);
      }
  }, [canvas, stack, N, h, tile, visible, dark]);
}
