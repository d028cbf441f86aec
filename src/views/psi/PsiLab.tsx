import { type KeyboardEvent, useId, useMemo, useRef, useState } from 'react';
import { sides } from '../../prompt/side.ts';
import { shownWeighted } from '../../state/encoded.ts';
import type { Facts } from '../../state/facts.ts';
import { prepared, shownChunk } from '../../state/reading.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { longestPsi, psi } from '../../weighting/psi.ts';
import { missingRows, nonFiniteMaps, type PsiMaps, readPsi, rowsWithin, withoutMap } from '../../weighting/psiMaps.ts';
import { type RowChanges, rowChanges } from '../../weighting/study/compareMethods.ts';
import { NumberField } from '../page/NumberField.tsx';
import { small } from '../page/numbers.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
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

/** The number of rows of the longest text of both prompts; null while one of them is read. */
function rowCount(facts: Facts): number | null {
  const both = sides.map((side) => prepared(facts, side));
  if (!both.every((one) => one !== undefined)) return null;
  const texts = both.flatMap(({ texts }) => texts);
  return Math.max(...texts.map(({ weighted: { chunks, empty } }) => chunks.length * empty.inputIds.length));
}

/** The most mistakes that are listed. */
const mostProblems = 6;

/** Weighs rows by maps of one's own. */
export function PsiLab() {
  const text = useFacts((s) => s.options.rowMaps);
  const weighting = useFacts((s) => s.options.weighting);
  const setOption = useFacts((s) => s.setOption);
  const chunk = useFacts(shownChunk);
  const tokenizer = useFacts(tokenizerOf);
  const count = useFacts(rowCount);
  const weighted = useFacts(shownWeighted);
  const maps = useMemo(() => readPsi(text), [text]);
  const changes = useMemo(
    () => weighted && rowChanges(weighted.after, weighted.before, weighted.encoded.config.hiddenSize),
    [weighted],
  );
  const id = useId();
  if (!chunk || !tokenizer) return <Frame>{<p className="muted">Loading the vocabulary</p>}</Frame>;
  const { tokens } = chunk.chunk;
  const first = chunk.index * tokens.length;
  const labels = tokenLabels(tokens, tokenizer);
  const isWeighed = weighting === psi.name;
  const problems = [
    ...maps.problems,
    ...(count === null ? [] : missingRows(maps, count)),
    ...(changes && weighted?.method === psi.name
      ? nonFiniteMaps(
          maps,
          changes.nonFiniteRows.map((row) => first + row),
        )
      : []),
  ];
  return (
    <Frame>
      {!isWeighed && (
        <p>
          <button type="button" className="primary" onClick={() => setOption('weighting', psi.name)}>
            Weigh by these maps
          </button>{' '}
          <span className="muted">Now the prompt is weighed by another method.</span>
        </p>
      )}
      <AddMap labels={labels} first={first} maps={maps} text={text} />
      <div className={styles.maps}>
        <label htmlFor={id}>Maps: rows, a colon, an expression; r = the text of another prompt</label>
        <textarea
          id={id}
          rows={4}
          spellCheck={false}
          maxLength={longestPsi}
          value={text}
          aria-describedby={`${id}-help ${id}-problems`}
          aria-invalid={problems.length > 0}
          onChange={(event) => setOption('rowMaps', event.target.value)}
        />
        <p className="help" id={`${id}-help`}>
          z is the encoder’s row, empty the empty prompt’s and r another prompt’s at the same place, mean the mean of
          the chunk’s rows, alone the row without any but those of its subset, w the typed weight. There are + − * /,
          dot(a, b), norm(a) and proj(a, b), the part of a along b.
        </p>
        <ul id={`${id}-problems`} className={styles.problems} aria-live="polite">
          {problems.slice(0, mostProblems).map(({ start, end, message }) => (
            <li key={`${start} ${message}`} className="warning">
              {text.slice(start, end).trim() !== '' && <code>{text.slice(start, end).trim()}</code>} {message}
            </li>
          ))}
          {problems.length > mostProblems && (
            <li className="warning">There are {problems.length - mostProblems} mistakes more.</li>
          )}
        </ul>
      </div>
      {changes ? (
        <Changes changes={changes} first={first} labels={labels} kinds={tokens.map(({ kind }) => kind)} />
      ) : (
        <Waiting />
      )}
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
  const [typedOther, setTypedOther] = useState<string | null>(null);
  /** The row that Tab reaches, from 0 in the chunk. */
  const [reached, setReached] = useState(0);
  const strip = useRef<HTMLDivElement>(null);
  const id = useId();
  const taken = new Map(
    maps.maps.flatMap((map) =>
      rowsWithin(map.intervals, first, first + labels.length).map((row) => [row, map] as const),
    ),
  );
  const firstPad = labels.indexOf('PAD');
  const shown = labels.slice(0, firstPad < 0 ? labels.length : firstPad + 1);
  const tabbed = clampIndex(reached, shown.length);
  const rows = chosen.filter((row) => row >= first && row < first + labels.length);
  const { name, help, hasAmount, hasOther, expression } = mapKinds[kind];
  const other = hasOther ? (typedOther ?? maps.reference ?? '') : null;
  const toggle = (row: number) =>
    setChosen(chosen.includes(row) ? chosen.filter((one) => one !== row) : [...chosen, row].sort((a, b) => a - b));
  const write = (written: string) => {
    setOption('rowMaps', written);
    setChosen([]);
    // The button that was pressed goes or is off now; the keyboard goes on from the strip.
    strip.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
  };
  const move = (event: KeyboardEvent) => {
    const moved = moveOf(event);
    if (!moved || moved.columns === 0) return;
    event.preventDefault();
    strip.current?.querySelectorAll('button')[clampIndex(tabbed + moved.columns, shown.length)].focus();
  };
  const overlapping = rows.filter((row) => taken.has(row));
  const takenMap = overlapping.length > 0 ? taken.get(overlapping[0]) : undefined;
  const added = withMap(text, rows, expression(amount), other);
  const isPossible = rows.length > 0 && overlapping.length === 0 && other?.trim() !== '';
  return (
    <fieldset className={styles.add}>
      <legend>Add a map: choose its rows</legend>
      <div className={styles.strip} ref={strip}>
        {shown.map((label, i) => (
          <button
            key={i}
            type="button"
            className="small"
            tabIndex={i === tabbed ? 0 : -1}
            aria-pressed={rows.includes(first + i)}
            data-taken={taken.has(first + i) || undefined}
            onFocus={() => setReached(i)}
            onKeyDown={move}
            onClick={() => toggle(first + i)}
          >
            <span className="visually-hidden">row </span>
            <span className="muted">{first + i}</span> {label}
            {taken.has(first + i) && (
              <span className="visually-hidden"> with the map {taken.get(first + i)?.text}</span>
            )}
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
          <NumberField
            label="Amount"
            className={styles.amount}
            {...{ value: amount, least: -100, most: 100, step: 0.1 }}
            // No more digits than an expression has without an exponent.
            onChange={(value) => setAmount(Math.round(value * 1e4) / 1e4)}
          />
        )}
        {other !== null && (
          <div className="field">
            <label htmlFor={`${id}-other`}>The other prompt</label>
            <input
              id={`${id}-other`}
              type="text"
              value={other}
              onChange={(event) => setTypedOther(event.target.value)}
            />
            {maps.reference !== null && other.trim() !== maps.reference && (
              <p className="help">The maps have one other prompt: it takes the place of “{maps.reference}”.</p>
            )}
          </div>
        )}
      </div>
      <p>
        <button type="button" disabled={!isPossible || added.length > longestPsi} onClick={() => write(added)}>
          Add “{name}”{rows.length > 0 && ` for ${rowsText(rows)}`}
        </button>{' '}
        {isPossible && added.length > longestPsi && (
          <span className="warning">The maps have at most {longestPsi} characters: take some out.</span>
        )}
        {takenMap && (
          <>
            <span className="warning">
              There is a map for {rowsText(overlapping)} already: subsets must not overlap.
            </span>{' '}
            <button type="button" className="small" onClick={() => write(withoutMap(text, takenMap))}>
              Remove “{takenMap.text}”
            </button>
          </>
        )}
      </p>
    </fieldset>
  );
}

interface ChangesProps {
  readonly changes: RowChanges;
  /** The number of the chunk's first row among those of all chunks. */
  readonly first: number;
  readonly labels: readonly string[];
  readonly kinds: readonly string[];
}

/** The rows before and after weighting by whatever method is in use. */
function Changes({ changes, first, labels, kinds }: ChangesProps) {
  const wild = changes.nonFiniteRows.map((row) => first + row);
  return (
    <>
      <p className={styles.finding}>
        {changes.changedRows.length} of {labels.length} rows change, by {small(changes.totals.distance)} together
        {wild.length > 0 && ` without ${rowsText(wild)}, whose numbers are not finite`}.
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
