import { ticks as roundNumbers } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { memo, useDeferredValue, useRef } from 'react';
import { runCsv } from '../../state/lab/labCsv.ts';
import { curvePath } from '../methods/curves.ts';
import { brief } from '../page/numbers.ts';
import { useWidth } from '../page/useWidth.ts';
import { saveFile } from '../pictures/saveFile.ts';
import { type Chart, labCharts, runName } from './labCurves.ts';
import styles from './objective.module.css';
import { useLab } from './useLab.ts';

/** How the run went so far, with the runs before it. */
export function LabCurves() {
  const run = useDeferredValue(useLab((s) => s.run));
  const past = useLab((s) => s.past);
  const forgetPast = useLab((s) => s.forgetPast);
  const charts = labCharts(run, past);
  const last = Math.max(1, ...charts.flatMap(({ lines }) => lines.map(({ xs }) => xs[xs.length - 1] ?? 0)));
  return (
    <section aria-label="Curves" className={styles.curves}>
      <div className={styles.charts}>
        {charts.map((chart) => (
          <CurvesOverPairs key={chart.title} chart={chart} last={last} />
        ))}
      </div>
      <div className="toolbar">
        <button
          type="button"
          className="small"
          disabled={run.steps.length === 0}
          onClick={() => saveFile(`objective-seed-${run.settings.seed}.csv`, runCsv([...past, run]), 'text/csv')}
        >
          Save CSV
        </button>
        {past.length > 0 && (
          <>
            <button type="button" className="small" onClick={forgetPast}>
              Clear earlier runs
            </button>
            <span className="muted small">Earlier, in grey: {past.map(runName).join('; ')}</span>
          </>
        )}
      </div>
    </section>
  );
}

const height = 170;
const margin = { top: 8, right: 10, bottom: 22, left: 36 };

const CurvesOverPairs = memo(function CurvesOverPairs({
  chart,
  last,
}: {
  readonly chart: Chart;
  readonly last: number;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const width = Math.max(useWidth(frame), margin.left + margin.right);
  const { title, lines, domain, marks } = chart;
  const x = scaleLinear([0, last], [margin.left, width - margin.right]);
  const y = scaleLinear(domain, [height - margin.bottom, margin.top]).clamp(true);
  const summary = lines
    .filter(({ ys }) => ys.length > 0)
    .map(({ label, ys }) => `${label} ${brief(ys[ys.length - 1])}`)
    .join('; ');
  return (
    <figure>
      <figcaption>
        <b>{title}</b>
        <Key lines={lines} />
      </figcaption>
      <div ref={frame} className={styles.chart}>
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`${title} over pairs seen. ${summary || 'Nothing yet'}.`}
        >
          {roundNumbers(domain[0], domain[1], 4).map((tick) => (
            <g key={tick} className={styles.tick}>
              <line x1={margin.left} x2={width - margin.right} y1={y(tick)} y2={y(tick)} />
              <text x={margin.left - 5} y={y(tick)} dy="0.32em" textAnchor="end">
                {brief(tick)}
              </text>
            </g>
          ))}
          {roundNumbers(0, last, 4).map((tick) => (
            <text key={tick} className={styles.tick} x={x(tick)} y={height - 6} textAnchor="middle">
              {tick === 0 ? '0 pairs' : tick >= 1000 ? `${brief(tick / 1000)} k` : tick}
            </text>
          ))}
          {lines.map(({ label, colour, isDashed, xs, ys }, i) => (
            <path
              key={`${label} ${i}`}
              className={styles.curve}
              d={curvePath(xs, ys, x, y)}
              style={{ stroke: colour }}
              strokeDasharray={isDashed ? '5 3' : undefined}
            />
          ))}
          {marks.map(({ label, at }) => (
            <g key={label} className={styles.mark}>
              <line x1={margin.left} x2={width - margin.right} y1={y(at)} y2={y(at)} />
              <text x={width - margin.right} y={y(at) - 4} textAnchor="end">
                {label}
              </text>
            </g>
          ))}
        </svg>
      </div>
    </figure>
  );
});

/** Names of the coloured lines, where there are several. */
function Key({ lines }: Pick<Chart, 'lines'>) {
  const named = lines.filter(({ colour, label }) => colour !== 'var(--muted)' && !label.endsWith(', held out'));
  if (named.length < 2) return null;
  return (
    <span className={styles.key}>
      {named.map(({ label, colour, isDashed }) => (
        <span key={label}>
          <svg width="18" height="8" aria-hidden="true">
            <line
              className={styles.curve}
              x2="18"
              y1="4"
              y2="4"
              style={{ stroke: colour }}
              strokeDasharray={isDashed ? '5 3' : undefined}
            />
          </svg>
          {label}
        </span>
      ))}
      {lines.some(({ label }) => label.endsWith(', held out')) && <span>dashed: pairs held out of training</span>}
    </span>
  );
}
