import type { ReadingDifference } from '../../prompt/across/readings.ts';
import { programs } from '../../prompt/syntax.ts';
import { type Reading, readingsWork } from '../../state/methodBench.ts';
import { isLong } from '../../state/reading.ts';
import { brief } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { useSliced } from '../page/useSliced.ts';
import styles from './methods.module.css';

/** How many differences or weights are named. */
const mostNamed = 6;

/** Which weights were read, what the other languages would have read, and what to type there for the same weights. */
export function Readings() {
  const isTextLong = useFacts((s) => isLong(s.prompts[s.side]));
  const { value, isStale } = useSliced(useFacts(readingsWork), isTextLong);
  const syntax = useFacts((s) => s.options.syntax);
  if (!value) return null;
  const { readings, shown } = value;
  const weighted = shown.texts.flatMap(({ fragments }) =>
    fragments.filter(({ kind, text, weight }) => kind === 'text' && weight !== 1 && text.trim() !== ''),
  );
  const read = weighted.map(({ text, weight }) => `${quoted(text.trim())} ${brief(weight)}`);
  return (
    <div className={styles.scrolling} aria-busy={isStale} data-stale={isStale || undefined}>
      <table className={`${styles.methodTable} ${styles.readings}`}>
        <caption>
          The prompt is read as {programs[syntax]}’s, and every method weighs by the weights read there, so that the
          methods are compared and not the languages.
        </caption>
        <thead>
          <tr>
            <th scope="col">Language</th>
            <th scope="col">Reads</th>
            <th scope="col">To type for the weights compared</th>
          </tr>
        </thead>
        <tbody>
          {readings.map((reading) => (
            <tr key={reading.syntax} data-own={reading.converted === null || undefined}>
              <th scope="row">{programs[reading.syntax]}</th>
              <td>
                {reading.converted
                  ? named(reading.differences.map(differenceText), 'the same')
                  : named(read, 'no weight but 1')}
              </td>
              <td>
                <Converted reading={reading} source={shown.source} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Converted({ reading: { converted }, source }: { reading: Reading; source: string }) {
  if (!converted) return <span className="muted">as typed</span>;
  if (!converted.isSame)
    return (
      <>
        <code>{converted.text}</code> <span className="muted">(comes close; not all can be said there)</span>
      </>
    );
  return converted.text === source ? <span className="muted">as typed</span> : <code>{converted.text}</code>;
}

function differenceText({ text, here, there }: ReadingDifference): string {
  if (there === null) return `${quoted(text)} not as text`;
  if (here === null) return `${quoted(text)} as text${there === 1 ? '' : `, ${brief(there)}`}`;
  return `${quoted(text)} ${brief(there)} instead of ${brief(here)}`;
}

/** The beginning and the end of what is long. */
function quoted(text: string): string {
  return `“${text.length > 40 ? `${text.slice(0, 24)} … ${text.slice(-12)}` : text}”`;
}

function named(all: readonly string[], otherwise: string): string {
  if (all.length === 0) return otherwise;
  const more = all.length - mostNamed;
  return [...all.slice(0, mostNamed), ...(more > 0 ? [`${more} more`] : [])].join('; ');
}
