import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from 'react';
import type { PictureOrigin } from '../../state/pictureOrigin.ts';
import { rough } from '../page/numbers.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
import { useDark } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import heatmapStyles from '../pictures/heatmap.module.css';
import { nothing, pointed, tokenOf, useMarks } from '../pictures/pointed.ts';
import { SaveSvg } from '../pictures/SavePicture.tsx';
import { TokenLabels } from '../pictures/TokenLabels.tsx';
import { AttentionReadout } from './AttentionReadout.tsx';
import styles from './attention.module.css';
import type { ShownMap } from './attentionMaps.ts';
import { drawLines } from './drawLines.ts';

/** One head as lines from queries to keys. The opacity is the probability; a token that is pointed at shows only its lines. */
export function AttentionLines(props: ShownMap & { readonly title: string; readonly most: number }) {
  const { map, mask, L, shown, labels, title, most } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const queries = useRef<HTMLOListElement>(null);
  const keys = useRef<HTMLOListElement>(null);
  const room = useRef<HTMLDivElement>(null);
  const width = useWidth(room);
  const dark = useDark();
  useMarks(queries, 'query');
  useMarks(keys, 'key');
  const rowHeight = shown.length > 32 ? 14 : 24;
  const height = shown.length * rowHeight;

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || !canvas.current || width === 0) return;
    canvas.current.width = Math.round(width * devicePixelRatio);
    canvas.current.height = Math.round(height * devicePixelRatio);
    const draw = () =>
      drawLines(context, { map, mask, L, shown, labels }, most, { width, height, rowHeight }, pointed.get());
    draw();
    return pointed.subscribe(draw);
    // The colours that drawLines reads change with `dark`.
  }, [map, mask, L, shown, labels, most, width, height, rowHeight, dark]);

  const point = (side: 'query' | 'key') => (event: PointerEvent) => {
    const index = tokenOf(event.target);
    const at = index === null ? null : { ...nothing, [side]: index };
    pointed.over(at);
    if (event.type === 'pointerdown') pointed.rest(at);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') return pointed.rest(null);
    const move = moveOf(event);
    if (!move) return;
    event.preventDefault();
    const { query, key } = pointed.get();
    const side = query === null && key !== null ? 'key' : 'query';
    const index = shown.indexOf((side === 'query' ? query : key) ?? -1);
    // The first key press only shows the first token; the next ones move from it.
    const token = shown[clampIndex(index < 0 ? 0 : index + move.rows, shown.length)];
    const toSide = move.columns < 0 ? 'query' : move.columns > 0 ? 'key' : side;
    pointed.over(null);
    pointed.rest({ ...nothing, [toSide]: token });
  };
  const svg = async (origin: PictureOrigin) => {
    const [{ linesSvg }, { originLines, pageColour }] = await Promise.all([
      import('./linesSvg.ts'),
      import('../pictures/pictureFile.ts'),
    ]);
    const [background, text, line] = ['--surface', '--text', '--accent'].map(pageColour);
    const colours = { background, text, line };
    return linesSvg(props, { title, origin: originLines(origin), most, colours });
  };
  const summary = `${title}: lines from ${shown.length} queries, left, to ${shown.length} keys, right.`;

  return (
    <>
      <div
        className={styles.lines}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys choose a token
        tabIndex={0}
        aria-label={`${title}: up and down choose a token, left and right a side`}
        style={{ height, fontSize: rowHeight > 14 ? undefined : '10px' }}
        onPointerLeave={() => pointed.over(null)}
        onKeyDown={onKeyDown}
      >
        <TokenLabels side="rows" list={queries} shown={shown} labels={labels} onPoint={point('query')} />
        <div ref={room}>
          <canvas ref={canvas} role="img" aria-label={summary} style={{ height }} />
        </div>
        <TokenLabels side="rows" list={keys} shown={shown} labels={labels} onPoint={point('key')} />
      </div>
      <AttentionReadout {...props} />
      <div className={heatmapStyles.underPicture}>
        <SaveSvg title={title} svg={svg} />
      </div>
      <p className="help">Opacity is the probability, from 0 to {rough(most)}. Queries left, keys right.</p>
    </>
  );
}
