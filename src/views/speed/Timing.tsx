import { groupSteps, type ProfiledGroup, stage } from '../../engine/profile.ts';
import type { Facts } from '../../state/facts.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { Meanings } from '../page/Meanings.tsx';
import { bytes } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './timing.module.css';

type Profiled = NonNullable<Facts['profiled']>;

/** Each stage of the encode that was timed: its share of the time, and its rates. */
export function Timing({ profiled: { rows, task } }: { readonly profiled: Profiled }) {
  const length = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  const description = useFacts((s) => s.model?.engine.description);
  if (task.phase === 'running') return <p className="muted">Timing {rowsText(rows, length)}</p>;
  if (task.phase === 'failed')
    return (
      <div className="notice" data-severity="error" role="alert">
        <span>{task.message}</span>
      </div>
    );
  const { steps, noTimes } = task.result;
  const stages = groupSteps(steps, stage);
  const [whole] = groupSteps(steps, () => 'All');
  const most = Math.max(...stages.map(shareOf(whole)));
  return (
    <>
      <p className="small">
        {rowsText(rows, length, true)} ({description}): {whole.steps} steps, {(whole.flops / 1e9).toPrecision(3)} GFLOP,{' '}
        {bytes(whole.bytes)} read and written
        {whole.milliseconds !== null && `, ${number(whole.milliseconds)} ms`}.
        {noTimes !== null && ` ${noTimes} So the bars are shares of the arithmetic, not of the time.`}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: so that it can be scrolled by keyboard. */}
      <section className="table-scroll" aria-label="Stages" tabIndex={0}>
        <table className={styles.stages}>
          <caption className="visually-hidden">Stages</caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col" className={styles.share}>
                {whole.share === null ? 'Share of the arithmetic' : 'Share of the time'}
              </th>
              {columns.map(({ title }) => (
                <th key={title} scope="col" className={styles.number}>
                  {title}
                </th>
              ))}
              <th scope="col">Kernel</th>
            </tr>
          </thead>
          <tbody>
            {stages.map((group) => {
              const share = shareOf(whole)(group);
              return (
                <tr key={group.name}>
                  <th scope="row">
                    {group.name}
                    {group.steps > 1 && <span className="muted"> × {group.steps}</span>}
                  </th>
                  <td className={styles.share}>
                    <span className={styles.shareBar} style={{ inlineSize: `${(62 * share) / most}%` }} />
                    {(100 * share).toFixed(1)} %
                  </td>
                  <Rates group={group} />
                  <td>{group.kernel}</td>
                </tr>
              );
            })}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">All</th>
              <td />
              <Rates group={whole} />
              <td />
            </tr>
          </tfoot>
        </table>
      </section>
      <Meanings summary="What the columns say" entries={columns.map(({ title, help }) => [title, help] as const)} />
    </>
  );
}

function rowsText({ first, end }: Profiled['rows'], length: number, isStart = false): string {
  if (first === 0 && end === length) return isStart ? `A whole pass of ${length} rows` : 'a whole pass';
  return `${isStart ? 'Rows' : 'rows'} ${first} to ${end - 1} of ${length}`;
}

/** A group's share of the time, or of the arithmetic where no time was measured. */
const shareOf = (whole: ProfiledGroup) => (group: ProfiledGroup) => group.share ?? group.flops / whole.flops;

const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const columns: readonly { readonly title: string; readonly help: string; of(group: ProfiledGroup): number | null }[] = [
  { title: 'ms', help: 'By the engine’s own clock, in all layers', of: ({ milliseconds }) => milliseconds },
  { title: 'GFLOP/s', help: 'Multiplications and additions in a second', of: (group) => group.gflopsPerSecond },
  { title: 'MB', help: 'What has to be read and written, each number once', of: (group) => group.bytes / 1e6 },
  { title: 'GB/s', help: 'What has to be read and written in a second', of: (group) => group.gigabytesPerSecond },
  {
    title: 'FLOP/B',
    help: 'Arithmetic for each byte read or written: where it is low, memory sets the pace, and where it is high, arithmetic',
    of: (group) => group.flops / group.bytes,
  },
];

function Rates({ group }: { readonly group: ProfiledGroup }) {
  return columns.map(({ title, of }) => {
    const value = of(group);
    return (
      <td key={title} className={styles.number}>
        {value === null ? '–' : number(value)}
      </td>
    );
  });
}
