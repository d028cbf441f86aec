import { useId, useMemo, useState } from 'react';
import { type Side, sides } from '../../prompt/side.ts';
import type { Slices } from '../../prompt/slices.ts';
import { programs, type Syntax, syntaxes } from '../../prompt/syntax.ts';
import { pageChooser } from '../../road/comfyRoad.ts';
import { readingWays } from '../../road/readingWays.ts';
import { isLong, usedEmbeddings } from '../../state/reading.ts';
import { tokenizerOf } from '../../state/tokenLabels.ts';
import { type Conversion, type ConversionRow, convertingPrompt } from '../../tokens/convertPrompt.ts';
import { ownMethod } from '../../weighting/methods.ts';
import { brief } from '../page/numbers.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useSliced } from '../page/useSliced.ts';
import styles from './prompts.module.css';

/** Most differences that are listed for one prompt. */
const most = 100;

const names: Record<Side, string> = { positive: 'Prompt', negative: 'Negative prompt' };

/** Both prompts as they are said in another language. */
interface Conversions {
  readonly from: Syntax;
  readonly to: Syntax;
  readonly conversions: readonly { readonly side: Side; readonly conversion: Conversion }[];
}

/** Shows both prompts in another program's language, and whether tokens and weights stay the same. */
export function Convert({ onConverted }: { onConverted(): void }) {
  const prompts = useFacts((s) => s.prompts);
  const options = useFacts((s) => s.options);
  const tokenizer = useFacts(tokenizerOf);
  const embeddings = useFacts(usedEmbeddings);
  const replace = useFacts((s) => s.replace);
  const { syntax } = options;
  const others = syntaxes.filter((other) => other !== syntax);
  const [chosen, setChosen] = useState<Syntax>(others[0]);
  const to = chosen === syntax ? others[0] : chosen;
  const name = useId();
  const work = useMemo(
    () =>
      tokenizer &&
      function* (): Slices<Conversions> {
        const conversions: { side: Side; conversion: Conversion }[] = [];
        for (const side of sides) {
          const chooser = pageChooser(options, side);
          const prompt = prompts[side];
          const conversion = yield* convertingPrompt(
            prompt,
            syntax,
            to,
            tokenizer,
            options.tokenizer,
            side,
            embeddings,
            chooser,
            readingWays(options),
          );
          conversions.push({ side, conversion });
        }
        return { from: syntax, to, conversions };
      },
    [prompts, syntax, to, tokenizer, options, embeddings],
  );
  const isAnyLong = sides.some((side) => isLong(prompts[side]));
  const { value, isStale } = useSliced(work ?? null, isAnyLong);
  if (!value) return <p className="muted small">{tokenizer ? 'Converting' : 'Loading the vocabulary'}</p>;
  const { conversions } = value;
  const convert = () => {
    const text = Object.fromEntries(conversions.map(({ side, conversion }) => [side, conversion.text]));
    replace(
      { prompts: text as Record<Side, string>, options: { ...options, syntax: to, weighting: ownMethod[to] } },
      `Converted to ${programs[to]}.`,
    );
    onConverted();
  };
  return (
    <div className={styles.convert} aria-busy={isStale} data-stale={isStale || undefined}>
      <div className="row">
        <Segmented
          legend="Convert to"
          name={name}
          choices={others.map((other) => ({ value: other, label: programs[other] }))}
          value={to}
          onChange={setChosen}
        />
        <button type="button" className="primary small" disabled={isStale} onClick={convert}>
          Use this
        </button>
      </div>
      {conversions
        .filter(({ side }) => prompts[side] !== '')
        .map(({ side, conversion }) => (
          <section key={side} aria-label={`${names[side]} in ${programs[value.to]}`}>
            <h3>{names[side]}</h3>
            <p className={styles.converted}>{conversion.text || '(empty)'}</p>
            <Comparison conversion={conversion} from={programs[value.from]} to={programs[value.to]} />
          </section>
        ))}
    </div>
  );
}

function Comparison({ conversion, from, to }: { conversion: Conversion; from: string; to: string }) {
  const { isSame, rows, lost } = conversion;
  const differing = rows.filter(({ kind }) => kind !== 'same');
  const same = rows.length - differing.length;
  return (
    <>
      <p className={isSame ? `${styles.same} small` : 'small'}>
        {isSame
          ? `All ${rows.length} tokens are there and weigh the same.`
          : `${same} of ${rows.length} tokens are there and weigh the same.`}
      </p>
      {lost.length > 0 && (
        <ul className={styles.diagnostics}>
          {lost.slice(0, most).map(({ message, range }, i) => (
            <li key={`${i} ${range.start}`} data-severity="warning">
              <span>{message}</span>
            </li>
          ))}
          {lost.length > most && <li className="muted">and {lost.length - most} more</li>}
        </ul>
      )}
      {differing.length > 0 && (
        <table className={styles.differing}>
          <thead>
            <tr>
              <th scope="col">Token</th>
              <th scope="col">{from}</th>
              <th scope="col">{to}</th>
            </tr>
          </thead>
          <tbody>
            {differing.slice(0, most).map((row, i) => (
              <tr key={i}>
                <th scope="row">{row.text.replace('</w>', '')}</th>
                <td>{weightIn(row, 'missing', row.weight)}</td>
                <td>{weightIn(row, 'added', row.converted)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

/** Writes the weight on one side of a row. `only` is the kind of rows that are on this side alone. */
function weightIn({ kind }: ConversionRow, only: 'missing' | 'added', weight: number | null): string {
  if ((kind === 'missing' || kind === 'added') && kind !== only) return 'not there';
  return weight === null ? 'splits' : brief(weight);
}
