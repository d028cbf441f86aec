import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from 'react';
import { useDark } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import { nothing, pointed, tokenOf, useMarks } from '../pictures/pointed.ts';
import { SaveSvg } from '../pictures/SavePicture.tsx';
import { TokenLabels } from '../pictures/TokenLabels.tsx';
import { AttentionReadout } from './AttentionReadout.tsx';
import { faintest, type ShownMap } from './attentionMaps.ts';

/** One head as lines from queries to keys, opacity the probability; a token that is pointed at shows its lines alone. */
export function AttentionLines(props: ShownMap & { readonly title: string; readonly most: number }) {
  const { map, mask, L, shown, labels, title, most } = props;
  const frame = useRef<HTMLDivElement>(null);
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
    const draw = () => {
      const style = getComputedStyle(context.canvas);
      const colours = { query: style.getPropertyValue('--accent'), key: style.getPropertyValue('--accent-2') };
      const { query, key } = pointed.get();
      const one = (query !== null && shown.includes(query)) || (key !== null && shown.includes(key));
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      context.clearRect(0, 0, width, height);
      context.lineWidth = shown.length > 32 ? 1.25 : 2;
      shown.forEach((i, row) => {
        shown.forEach((j, column) => {
          if (mask[i * L + j] === 0) return;
          const ofQuery = i === query;
          const ofKey = j === key && !(query !== null && query === key);
          const opacity = (map[i * L + j] / most) * (one && !ofQuery && !ofKey ? 0.08 : 1);
          if (opacity < faintest) return;
          context.globalAlpha = Math.min(opacity, 1);
          context.strokeStyle = ofKey && !ofQuery ? colours.key : colours.query;
          const [from, to] = [(row + 0.5) * rowHeight, (column + 0.5) * rowHeight];
          context.beginPath();
          context.moveTo(0, from);
          context.bezierCurveTo(width * 0.4, from, width * 0.6, to, width, to);
          context.stroke();
        });
      });
    };
    draw();
    return pointed.subscribe(draw);
    // `dark` is not read, but the colours are.
  }, [map, mask, L, shown, most, width, height, rowHeight, dark]);

  const point = (side: 'query' | 'key') => (event: PointerEvent) => {
    const index = tokenOf(event.target);
    const at = index === null ? null : { ...nothing, [side]: index };
    pointed.over(at);
    if (event.type === 'pointerdown') pointed.rest(at);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') return pointed.rest(null);
    const { query, key } = pointed.get();
    const side = query === null && key !== null ? 'key' : 'query';
    const index = shown.indexOf((side === 'query' ? query : key) ?? -1);
    const to = { ArrowUp: index < 0 ? 0 : index - 1, ArrowDown: index + 1, ArrowLeft: index, ArrowRight: index }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    const token = shown[Math.min(Math.max(to, 0), shown.length - 1)];
    const toSide = event.key === 'ArrowLeft' ? 'query' : event.key === 'ArrowRight' ? 'key' : side;
    pointed.over(null);
    pointed.rest({ ...nothing, [toSide]: token });
  };
  const svg = async () => {
    const [{ linesSvg }, { pageColour }] = await Promise.all([
      import('./linesSvg.ts'),
      import('../pictures/pictureFile.ts'),
    ]);
    const [background, text, line] = ['--surface', '--text', '--accent'].map(pageColour);
    const colours = { background, text, line };
    return linesSvg(props, { title, most, colours });
  };
  const summary = `${title}: lines from ${shown.length} queries, left, to ${shown.length} keys, right.`;

  return (
    <>
      <div
        className="lines"
        ref={frame}
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
        <TokenLabels side="rows keys" list={keys} shown={shown} labels={labels} onPoint={point('key')} />
      </div>
      <AttentionReadout {...props} />
      <div className="under-picture">
        <SaveSvg title={title} svg={svg} />
      </div>
      <p className="help">Opacity is the probability, from 0 to {most.toPrecision(3)}. Queries left, keys right.</p>
    </>
  );
}
