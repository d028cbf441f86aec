import { useId, useMemo, useState } from 'react';
import { shownWeighted } from '../../state/encoded.ts';
import { shownChunk } from '../../state/reading.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { longestPsi, psi } from '../../weighting/psi.ts';
import { type PsiMaps, readPsi } from '../../weighting/psiMaps.ts';
import { rowChanges } from '../../weighting/study/compareMethods.ts';
import { small } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Waiting } from '../page/Waiting.tsx';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
import styles from './psiLab.module.css';
import { mapKinds, rowsText, withMap } from './psiTexts.ts';

const lead = (
  <>
    Weighting by a formula of your own. Each token has a row of numbers: choose rows, and say by a <dfn>map</dfn> what
    becomes of them. The lecture (equations 11 to 13) calls the map ψ, “psi”. Rows without one stay as the encoder gives
    them. The negative prompt’s rows of the same numbers are mapped alike. It is a method like the others: Methods,
    Sweep, Weights, links and the export have it.
  </>
);

/** Weighs rows by maps of one's own. */
export function PsiLab() {
  const text = useFacts((s) => s.options.rowMaps);
  const weighting = useFacts((s) => s.options.weighting);
  const setOption = useFacts((s) => s.setOption);
  const chunk = useFacts(shownChunk);
  const tokenizer = useFacts(tokenizerOf);
  const maps = useMemo(() => readPsi(text), [text]);
  const id = useId();
  if (!chunk || !tokenizer) return <Frame>{<p className="muted">Loading the vocabulary</p>}</Frame>;
  const { tokens } = chunk.chunk;
  const labels = tokenLabels(tokens, tokenizer);
  return (
    <Frame>
      {weighting !== psi.name && (
        <p>
          <button type="button" className="primary" onClick={() => setOption('weighting', psi.name)}>
            Weigh by these maps
          </button>{' '}
          <span className="muted">Now the prompt is weighed by another method.</span>
        </p>
      )}
      <AddMap labels={labels} first={chunk.index * tokens.length} maps={maps} text={text} />
      <div className={styles.maps}>
        <label htmlFor={id}>Maps: rows, a colon, an expression; r = the text of another prompt</label>
        <textarea
          id={id}
          rows={4}
          spellCheck={false}
          maxLength={longestPsi}
          value={text}
          aria-describedby={`${id}-help ${id}-problems`}
          aria-invalid={maps.problems.length > 0}
          onChange={(event) => setOption('rowMaps', event.target.value)}
        />
        <p className="help" id={`${id}-help`}>
          z is the encoder’s row, empty the empty prompt’s and r another prompt’s at the same place, mean the mean of
          the chunk’s rows, alone the row without any but those of its subset, w the typed weight. There are + − * /,
          dot(a, b), norm(a) and proj(a, b), the part of a along b.
        </p>
        <ul id={`${id}-problems`} className={styles.problems} aria-live="polite">
          {maps.problems.map(({ start, end, message }) => (
            <li key={`${start} ${message}`} className="warning">
              {start < end && text.slice(start, end).trim() !== '' && <code>{text.slice(start, end).trim()}</code>}{' '}
              {message}
            </li>
          ))}
        </ul>
      </div>
      <Changes labels={labels} kinds={tokens.map(({ kind }) => kind)} />
    </Frame>
  );
}

function Frame({ children }: { children: React.ReactNode }) {
  return (
    <section className={`panel ${styles.psi}`} id="psi-lab" aria-labelledby="psi-lab-title">
      <ViewHeader view="psi-lab" lead={lead} />
      {children}
    </section>
  );
}

interface AddMapProps {
  readonly labels: readonly string[];
  /** The number of the chunk's first row among those of all chunks. */
  readonly first: number;
  readonly maps: PsiMaps;
  readonly text: string;
}

/** Chooses rows on the strip of tokens, and a map for them. */
function AddMap({ labels, first, maps, text }: AddMapProps) {
  const setOption = useFacts((s) => s.setOption);
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const [kind, setKind] = useState(0);
  const [amount, setAmount] = useState(1.3);
  const [other, setOther] = useState('');
  const id = useId();
  const taken = new Map(maps.maps.flatMap(({ rows, text }) => rows.map((row) => [row, text] as const)));
  const firstPad = labels.indexOf('PAD');
  const shown = labels.slice(0, firstPad < 0 ? labels.length : firstPad + 1);
  const rows = chosen.filter((row) => row >= first && row < first + labels.length);
  const { name, help, hasAmount, hasOther, expression } = mapKinds[kind];
  const toggle = (row: number) =>
    setChosen(chosen.includes(row) ? chosen.filter((one) => one !== row) : [...chosen, row].sort((a, b) => a - b));
  const add = () => {
    setOption('rowMaps', withMap(text, rows, expression(amount), hasOther ? other : null));
    setChosen([]);
  };
  const overlapping = rows.filter((row) => taken.has(row));
  const added = withMap(text, rows, expression(amount), hasOther ? other : null);
  return (
    <fieldset className={styles.add}>
      <legend>Add a map: choose its rows</legend>
      <div className={styles.strip}>
        {shown.map((label, i) => (
          <button
            key={i}
            type="button"
            className="small"
            aria-pressed={rows.includes(first + i)}
            data-taken={taken.has(first + i) || undefined}
            title={taken.get(first + i) ?? `row ${first + i}`}
            onClick={() => toggle(first + i)}
          >
            <span className="muted">{first + i}</span> {label}
          </button>
        ))}
      </div>
      <div className={styles.controls}>
        <div className="field">
          <label htmlFor={`${id}-kind`}>Map</label>
          <select
            id={`${id}-kind`}
            value={kind}
            aria-describedby={`${id}-help`}
            onChange={(event) => setKind(Number(event.target.value))}
          >
            {mapKinds.map(({ name }, i) => (
              <option key={name} value={i}>
                {name}
              </option>
            ))}
          </select>
          <p className="help" id={`${id}-help`}>
            {help}
          </p>
        </div>
        {hasAmount && (
          <div className="field">
            <label htmlFor={`${id}-amount`}>Amount</label>
            <input
              id={`${id}-amount`}
              type="number"
              step={0.1}
              value={amount}
              onChange={(event) => Number.isFinite(event.target.valueAsNumber) && setAmount(event.target.valueAsNumber)}
            />
          </div>
        )}
        {hasOther && (
          <div className="field">
            <label htmlFor={`${id}-other`}>The other prompt</label>
            <input id={`${id}-other`} type="text" value={other} onChange={(event) => setOther(event.target.value)} />
          </div>
        )}
      </div>
      <p>
        <button
          type="button"
          disabled={rows.length === 0 || overlapping.length > 0 || added.length > longestPsi}
          onClick={add}
        >
          Add “{name}”{rows.length > 0 && ` for ${rowsText(rows)}`}
        </button>{' '}
        {overlapping.length > 0 && (
          <span className="warning">
            {rowsText(overlapping)} {overlapping.length === 1 ? 'is' : 'are'} in a map already: subsets must not
            overlap.
          </span>
        )}
      </p>
    </fieldset>
  );
}

/** The rows before and after weighting by whatever method is in use. */
function Changes({ labels, kinds }: { labels: readonly string[]; kinds: readonly string[] }) {
  const weighted = useFacts(shownWeighted);
  const changes = useMemo(
    () => weighted && rowChanges(weighted.after, weighted.before, weighted.encoded.config.hiddenSize),
    [weighted],
  );
  if (!changes) return <Waiting />;
  return (
    <>
      <p className={styles.finding}>
        {changes.changedRows.length} of {labels.length} rows change, by {small(changes.totals.distance)} together.
      </p>
      <RowNorms
        caption="Rows before and after weighting"
        columns={[
          { name: '‖z‖', values: changes.unweightedNorms },
          { name: '‖z′‖', values: changes.norms },
          { name: '‖z′ − z‖', values: changes.distances },
        ]}
        labels={labels}
        {...withoutPad(kinds)}
        format={small}
      />
    </>
  );
}
