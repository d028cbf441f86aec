import { type KeyboardEvent, type PointerEvent, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { ClipTextConfig } from '../../clip/config.ts';
import { useDark } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import type { ColourScale } from '../pictures/color.ts';
import { Legend } from '../pictures/Legend.tsx';
import { heatmapPixels } from '../pictures/pixels.ts';
import { SavePng } from '../pictures/SavePicture.tsx';

interface AttentionOverviewProps {
  /** [N, h, L, L] */
  readonly attentions: Float32Array;
  /** [L, L] */
  readonly mask: Uint8Array;
  readonly config: ClipTextConfig;
  readonly shown: readonly number[];
  readonly scale: ColourScale;
  readonly layer: number;
  /** Null where the mean over heads is shown: then the whole row is marked. */
  readonly head: number | null;
  onSelect(selection: { layer: number; head: number }): void;
}

const gap = 3;
const largestTile = 72;

/** Every head of every layer on one canvas: a row a layer, a column a head. */
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
  const dark = useDark();
  const tile = Math.max(4, Math.min(largestTile, Math.floor((width - gap * (h - 1)) / h)));
  const pitch = tile + gap;

  // [N·h] One small picture a head, stacked in one column.
  const pixels = useRef<Uint8ClampedArray<ArrayBuffer> | undefined>(undefined);
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
    if (!target || !canvas.current || !stack || width === 0) return;
    const n = stack.width;
    scratch.current ??= document.createElement('canvas');
    scratch.current.width = n;
    scratch.current.height = stack.height;
    scratch.current.getContext('2d')?.putImageData(stack, 0, 0);
    const ratio = devicePixelRatio;
    canvas.current.width = Math.round((h * pitch - gap) * ratio);
    canvas.current.height = Math.round((N * pitch - gap) * ratio);
    target.imageSmoothingEnabled = n > tile * ratio;
    // Above half the size there is nothing to be gained by the better ones, which take three times as long.
    target.imageSmoothingQuality = n > 2 * tile * ratio ? 'medium' : 'low';
    // Asked for once a theme: to be answered it has the whole page's styles computed.
    if (masked.current?.dark !== dark)
      masked.current = { dark, colour: getComputedStyle(canvas.current).getPropertyValue('--masked') };
    target.fillStyle = masked.current.colour;
    for (let row = 0; row < N; row++)
      for (let column = 0; column < h; column++) {
        const box = [column * pitch, row * pitch, tile, tile].map((v) => Math.round(v * ratio)) as [
          number,
          number,
          number,
          number,
        ];
        target.fillRect(...box);
        target.drawImage(scratch.current, 0, (row * h + column) * n, n, n, ...box);
      }
  }, [stack, N, h, tile, pitch, width, dark]);

  const at = (event: PointerEvent) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const row = Math.floor((event.clientY - box.top) / pitch);
    const column = Math.floor((event.clientX - box.left) / pitch);
    return row >= 0 && row < N && column >= 0 && column < h ? { layer: row, head: column } : null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    onSelect({
      layer: Math.min(Math.max(layer + step[0], 0), N - 1),
      head: Math.min(Math.max((head ?? 0) + step[1], 0), h - 1),
    });
  };
  return (
    <div className="overview">
      <div className="overview-head">
        <h3>
          {N} layers × {h} heads
        </h3>
        <span className="muted">{over && `layer ${over.layer + 1}, head ${over.head + 1}`}</span>
      </div>
      <div className="overview-frame" ref={frame}>
        <div
          className="overview-picture"
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
          <canvas ref={canvas} role="img" aria-label={`${N * h} attention maps, a row a layer, a column a head.`} />
          <div
            className="tile-mark"
            style={{
              top: layer * pitch,
              left: (head ?? 0) * pitch,
              width: head === null ? h * pitch - gap : tile,
              height: tile,
            }}
          />
          {over && (
            <div
              className="tile-mark hover"
              style={{ top: over.layer * pitch, left: over.head * pitch, width: tile, height: tile }}
            />
          )}
        </div>
      </div>
      <div className="under-picture">
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
