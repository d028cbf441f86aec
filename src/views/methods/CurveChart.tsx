import { ticks as roundNumbers } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { memo, type PointerEvent, useId, useMemo, useRef } from 'react';
import type { MethodName } from '../../weighting/methods.ts';
import { brief } from '../page/numbers.ts';
import { useWidth } from '../page/useWidth.ts';
import { curveEnd, curvePath, sameCurves, spread } from './curves.ts';
import { lineOf } from './lines.ts';
import styles from './methods.module.css';

export interface Curve {
  readonly name: MethodName;
  /** [weights] */
  readonly values: ArrayLike<number>;
}

interface CurveChartProps {
  readonly title: string;
  readonly summary: string;
  readonly weights: readonly number[];
  readonly curves: readonly Curve[];
  readonly domain: readonly [low: number, high: number];
  /** Weights where curves go through infinity. */
  readonly breaks: readonly number[];
  /** Ranges of weights that are shaded: where curves come near infinity, or pictures break. */
  readonly bands: readonly { readonly from: number; readonly to: number }[];
  /** The one under the slider, and the prompt's own. */
  readonly weight: number;
  readonly own: number;
  onWeight(weight: number): void;
}

const height = 210;
const margin = { top: 8, right: 34, bottom: 22, left: 40 };

/** Curves over the weight, each with its method's number at its end. */
export function CurveChart({ title, summary, weight, own, onWeight, ...picture }: CurveChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = Math.max(useWidth(frame), margin.left + margin.right);
  const { weights } = picture;
  const [first, last] = [weights[0], weights[weights.length - 1]];
  const x = useMemo(() => scaleLinear([first, last], [margin.left, width - margin.right]), [first, last, width]);
  const onPointer = (event: PointerEvent<SVGSVGElement>) => {
    if (event.type === 'pointermove' && event.buttons === 0) return;
    if (event.type === 'pointerdown') event.currentTarget.setPointerCapture(event.pointerId);
    const at = x.invert(event.clientX - event.currentTarget.getBoundingClientRect().left);
    onWeight(Math.min(last, Math.max(first, Math.round(at * 20) / 20)));
  };
  return (
    <figure>
      <figcaption>
        <b>{title}</b>
      </figcaption>
      <div ref={frame} className={styles.chart}>
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={summary}
          onPointerDown={onPointer}
          onPointerMove={onPointer}
        >
          <Picture {...picture} x={x} width={width} />
          {own >= first && own <= last && (
            <line className={styles.own} x1={x(own)} x2={x(own)} y1={margin.top} y2={height - margin.bottom} />
          )}
          <line className={styles.at} x1={x(weight)} x2={x(weight)} y1={margin.top} y2={height - margin.bottom} />
        </svg>
      </div>
    </figure>
  );
}

type PictureProps = Omit<CurveChartProps, 'title' | 'summary' | 'weight' | 'own' | 'onWeight'> & {
  readonly x: (weight: number) => number;
  readonly width: number;
};

/** All that a move of the slider leaves as it is. */
const Picture = memo(function Picture({ weights, curves, domain, breaks, bands, x, width }: PictureProps) {
  const clip = useId();
  const right = width - margin.right;
  const [low, high] = domain;
  const y = scaleLinear([low, high], [height - margin.bottom, margin.top]);
  const [first, last] = [weights[0], weights[weights.length - 1]];
  const within = (weight: number) => x(Math.max(first, Math.min(last, weight)));
  const labels = useMemo(() => {
    const groups = sameCurves(
      curves.map(({ values }) => values),
      (high - low) / 300,
    );
    const scale = scaleLinear([low, high], [height - margin.bottom, margin.top]).clamp(true);
    const ended = groups.flatMap((group) => {
      const end = curveEnd(curves[group[0]].values);
      if (end === null) return [];
      const text = group.map((i) => lineOf(curves[i].name).number).join(' ');
      return [{ text, colour: lineOf(curves[group[0]].name).colour, at: scale(end) }];
    });
    const places = spread(
      ended.map(({ at }) => at),
      12,
      margin.top,
      height - margin.bottom,
    );
    return ended.map((label, i) => ({ ...label, at: places[i] }));
  }, [curves, low, high]);
  return (
    <>
      <clipPath id={clip}>
        <rect x={margin.left} y={margin.top} width={right - margin.left} height={height - margin.top - margin.bottom} />
      </clipPath>
      {roundNumbers(low, high, 4).map((tick) => (
        <g key={tick} className={styles.tick}>
          <line x1={margin.left} x2={right} y1={y(tick)} y2={y(tick)} />
          <text x={margin.left - 5} y={y(tick)} dy="0.32em" textAnchor="end">
            {brief(tick).replace('-', '−')}
          </text>
        </g>
      ))}
      {roundNumbers(first, last, 5).map((tick) => (
        <text key={tick} className={styles.tick} x={x(tick)} y={height - 6} textAnchor="middle">
          {brief(tick).replace('-', '−')}
        </text>
      ))}
      {bands
        .filter(({ from, to }) => within(to) > within(from))
        .map(({ from, to }) => (
          <rect
            key={from}
            className={styles.meanBand}
            x={within(from)}
            y={margin.top}
            width={Math.max(3, within(to) - within(from))}
            height={height - margin.top - margin.bottom}
          />
        ))}
      <g clipPath={`url(#${clip})`}>
        {curves.map(({ name, values }) => {
          const { colour, dash } = lineOf(name);
          return (
            <path
              key={name}
              className={styles.curve}
              d={curvePath(weights, values, x, y, breaks)}
              style={{ stroke: colour }}
              strokeDasharray={dash}
            />
          );
        })}
      </g>
      {labels.map(({ text, colour, at }) => (
        <text key={text} className={styles.curveLabel} x={right + 3} y={at} dy="0.32em" style={{ fill: colour }}>
          {text}
        </text>
      ))}
    </>
  );
});
