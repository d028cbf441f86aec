import { useDeferredValue, useState } from 'react';
import { programs, type Syntax, syntaxes } from '../../prompt/syntax.ts';
import {
  type AlignedToken,
  differenceSentences,
  type PairDifference,
  type ProgramPair,
  type ProgramReadings,
  pairSentences,
  type TokenDifference,
} from '../../road/study/programs.ts';
import { differenceWork, programPasses, programsWork } from '../../state/programReadings.ts';
import { tokenizerOf, tokenLabel } from '../../state/tokenLabels.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { ownFlavour } from '../../tokens/tokenizerFlavours.ts';
import { ownMethod } from '../../weighting/methods.ts';
import { brief, percent } from '../page/numbers.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useNeeded } from '../page/useNeeded.ts';
import { useSliced } from '../page/useSliced.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { tokenizers, weightings } from '../prompts/choices.ts';
import styles from './programs.module.css';

const pairs: readonly ProgramPair[] = [
  ['a1111', 'comfy'],
  ['a1111', 'compel'],
  ['comfy', 'compel'],
];
const pairNames = pairs.map(([a, b]) => `${programs[a]} and ${programs[b]}`);

const lead =
  'This prompt in A1111, Compel and ComfyUI, each as it reads, cuts and weighs it itself, token by token; and how far the rows of numbers are apart that their pictures are made from.';

/** Compares the prompt on show in A1111, Compel and ComfyUI: how each reads it, and how far the numbers are apart. */
export function Programs() {
  return (
    <section className="panel" id="programs" aria-labelledby="programs-title">
      <ViewHeader view="programs" lead={lead} />
      <SideBySide />
    </section>
  );
}

function SideBySide() {
  const syntax = useFacts((s) => s.options.syntax);
  const tokenizer = useFacts(tokenizerOf);
  const work = useFacts(programsWork);
  const { value: study, isStale } = useSliced(work, work?.isLong ?? false);
  const [chosen, setChosen] = useState<ProgramPair | null>(null);
  const pair = chosen ?? pairs.find((pair) => pair.includes(syntax))!;
  const passes = programPasses(isStale ? undefined : study, pair);
  useNeeded('programs', passes);
  // Typed text shows at once; the numbers may follow a frame later, or where they are many when they are computed.
  const comparing = useDeferredValue(useFacts((s) => differenceWork(s, isStale ? undefined : study, pair)));
  const { value: shown } = useSliced(comparing, comparing?.isLong ?? false);
  if (!study || !tokenizer) return <p className="muted">{tokenizer ? 'Reading the prompt' : 'Loading'}</p>;
  const refusal = syntaxes.map((name) => study.readings[name].prepared.refusal).find((each) => each);
  if (refusal) return <p className="warning">{refusal}</p>;
  const label = (token: PromptToken) => tokenLabel(token, tokenizer);
  const difference = shown?.study === study && shown.pair === pair ? shown.difference : undefined;
  return (
    <div className={styles.programs} aria-busy={isStale} data-stale={isStale || undefined}>
      <Segmented
        legend="Compare"
        name="program-pair"
        choices={pairs.map((value, i) => ({ value, label: pairNames[i] }))}
        value={pair}
        onChange={setChosen}
      />
      <Sentences study={study} pair={pair} difference={difference} label={label} />
      <PassProgress passes={passes} />
      <Tokens study={study} pair={pair} difference={difference} label={label} />
      <Ways study={study} />
    </div>
  );
}

interface StudyProps {
  readonly study: ProgramReadings;
  readonly pair: ProgramPair;
  /** Undefined while it is encoded. */
  readonly difference: PairDifference | undefined;
  label(token: PromptToken): string;
}

function Sentences({ study, pair, difference, label }: StudyProps) {
  const [first, ...others] = pairSentences(study, pair, label);
  const measured = difference ? differenceSentences(study, pair, difference, label) : [];
  return (
    <div className={styles.answer}>
      <p className={styles.first}>{first}</p>
      {[...others, ...measured].map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </div>
  );
}

/** Tokens that are listed at first, and that each press of the button adds: thousands of rows would hold the page. */
const portion = 200;

const orders = ['As typed', 'Largest difference first'] as const;

/** Lists the tokens of all three programs, with the difference of the two that are compared. */
function Tokens({ study, pair, difference, label }: StudyProps) {
  const [order, setOrder] = useState<(typeof orders)[number]>('As typed');
  const [count, setCount] = useState(portion);
  const { rows } = study;
  const byRow = new Map((difference?.tokens ?? []).map((token) => [token.at, token]));
  const furthest = (at: number) => byRow.get(at)?.relative ?? -1;
  const shown = [...rows.keys()];
  if (order !== 'As typed') shown.sort((a, b) => furthest(b) - furthest(a));
  const most = Math.max(0, ...[...byRow.values()].map(({ relative }) => relative).filter(Number.isFinite));
  const hasChunks = rows.some((row) => Object.values(row).some(({ chunk }) => chunk !== 0));
  if (rows.length === 0) return null;
  return (
    <>
      <Segmented
        legend="Order"
        name="program-order"
        choices={orders.map((value) => ({ value, label: value }))}
        value={order}
        onChange={setOrder}
      />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within reach of the keyboard */}
      <section className={styles.scrolling} aria-label="Tokens in each program" tabIndex={0}>
        <table className={styles.table} aria-label="Weight of each token in each program">
          <thead>
            <tr>
              <th scope="col">Token</th>
              {syntaxes.map((syntax) => (
                <th
                  key={syntax}
                  scope="col"
                  data-compared={pair.includes(syntax) || undefined}
                  data-aside={!pair.includes(syntax) || undefined}
                >
                  {programs[syntax]}
                </th>
              ))}
              <th scope="col">
                ‖Δ‖ / ‖z‖ <small>{pairNames[pairs.indexOf(pair)]}</small>
              </th>
              <th scope="col">Cosine</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, count).map((at) => (
              <Token
                key={at}
                row={rows[at]}
                pair={pair}
                label={label}
                hasChunks={hasChunks}
                difference={byRow.get(at)}
                most={most}
              />
            ))}
          </tbody>
        </table>
      </section>
      {shown.length > count && (
        <p>
          <button type="button" className="small" onClick={() => setCount(count + portion)}>
            Show {Math.min(portion, shown.length - count)} more of {shown.length.toLocaleString('en')} tokens
          </button>
        </p>
      )}
      <p className="help">
        A number is the weight that the program reads{hasChunks && ', and behind it the chunk'}; – is a token that it
        does not read. ‖Δ‖ / ‖z‖ is by how much of its length the token’s row of the conditioning differs. Rows also
        differ where the tokens before them do, where a token stands in another place, and because each program weighs
        by its own formula.
      </p>
    </>
  );
}

interface TokenProps {
  readonly row: AlignedToken;
  readonly pair: ProgramPair;
  label(token: PromptToken): string;
  readonly hasChunks: boolean;
  readonly difference: TokenDifference | undefined;
  /** The largest difference of all, which has the longest bar. */
  readonly most: number;
}

function Token({ row, pair, label, hasChunks, difference, most }: TokenProps) {
  const [first] = Object.values(row);
  const weights = new Set(Object.values(row).map(({ token }) => brief(token.weight)));
  const isUneven = weights.size > 1 || syntaxes.some((syntax) => !row[syntax]);
  return (
    <tr data-uneven={isUneven || undefined}>
      <th scope="row">{label(first.token)}</th>
      {syntaxes.map((syntax) => (
        <td key={syntax} data-aside={!pair.includes(syntax) || undefined}>
          <Cell token={row[syntax]} hasChunks={hasChunks} />
        </td>
      ))}
      <td className={styles.measured}>
        {difference ? (
          <>
            <i style={{ width: `${most > 0 ? Math.min(1, difference.relative / most) * 100 : 0}%` }} />
            <span>{Number.isFinite(difference.relative) ? percent(difference.relative) : 'not finite'}</span>
          </>
        ) : null}
      </td>
      <td>{difference && (Number.isFinite(difference.cosine) ? difference.cosine.toFixed(4) : '–')}</td>
    </tr>
  );
}

function Cell({ token, hasChunks }: { readonly token: AlignedToken[Syntax]; readonly hasChunks: boolean }) {
  if (!token) return <span className="muted">–</span>;
  if (token.chunk === null) return <s>cut off</s>;
  return (
    <>
      {brief(token.token.weight)}
      {hasChunks && <span className="muted"> in {token.chunk + 1}</span>}
    </>
  );
}

/** Says by which tokenizer, weighting and chunks each program was taken to work. */
function Ways({ study: { readings } }: { readonly study: ProgramReadings }) {
  return (
    <table className={`${styles.table} ${styles.ways}`}>
      <caption>Each program by its own ways, with a causal mask and the clip skip and step chosen</caption>
      <thead>
        <tr>
          <th scope="col">Program</th>
          <th scope="col">Tokens</th>
          <th scope="col">Chunks</th>
          <th scope="col">Tokenizer</th>
          <th scope="col">Weighting</th>
        </tr>
      </thead>
      <tbody>
        {syntaxes.map((syntax) => (
          <tr key={syntax}>
            <th scope="row">{programs[syntax]}</th>
            <td>{readings[syntax].tokens.length}</td>
            <td>{readings[syntax].prepared.chunks.length}</td>
            <td>{tokenizers[ownFlavour[syntax]].name}</td>
            <td>{weightings[ownMethod[syntax]].name}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
