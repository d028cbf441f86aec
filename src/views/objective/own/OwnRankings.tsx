import { type ReactNode, useMemo } from 'react';
import { unknownTextWords } from '../../../road/study/knownWords.ts';
import { shownLogScale } from '../../../state/lab/labStore.ts';
import { type Ranked, ranking, shownRanks } from '../../../state/lab/ranking.ts';
import { tokenizerOf } from '../../../state/tokenLabels.ts';
import type { EmbedRequest } from '../../../worker/lab/labMessages.ts';
import { worldTokenIds } from '../../../world/captionIds.ts';
import { percent, whole } from '../../page/numbers.ts';
import { useFacts } from '../../page/useFacts.ts';
import { UnknownMark } from '../../tokens/UnknownMark.tsx';
import labStyles from '../objective.module.css';
import { Thumbnails } from '../Thumbnails.tsx';
import type { LabAnswer } from '../useEmbedded.ts';
import { useLab } from '../useLab.ts';
import styles from './own.module.css';

/** A person's questions: a picture with its captions, and a caption for pictures. */
export interface OwnQuestion extends EmbedRequest {
  /** To be ranked: typed ones first, then the world's. */
  readonly captions: readonly string[];
  /** How many of them were typed. */
  readonly typed: number;
  readonly query: string;
  /** [S, S, 4] RGBA of the picture. */
  readonly bytes: Uint8ClampedArray<ArrayBuffer>;
}

interface RankingProps {
  readonly answer: LabAnswer<OwnQuestion>;
}

/** Captions and pictures at the head of a ranking. */
const most = 8;

/** −ln τ of an answer: the hand's, where it holds τ. */
function useLogScale({ embedded }: RankingProps['answer']): number {
  const temperature = useLab((s) => s.settings.temperature);
  const shown = useLab(shownLogScale);
  return typeof temperature === 'number' ? shown : embedded.logScale;
}

/** The picture's softmax over captions: the likeliest, and all that were typed. */
export function CaptionRanking({ answer }: RankingProps) {
  const { question, embedded } = answer;
  const { captions, typed } = question;
  const logScale = useLogScale(answer);
  const lines = useMemo(() => {
    const rows = embedded.texts.subarray(0, captions.length * embedded.E);
    return shownRanks(ranking(embedded.pictures, rows, logScale), most, (index) => index < typed);
  }, [embedded, captions, typed, logScale]);
  return (
    <figure>
      <figcaption>
        <b>Captions for your picture</b>
        <Terms count={captions.length} of="captions" logScale={logScale} step={embedded.step} />
      </figcaption>
      <ol className={`${labStyles.bars} ${styles.list}`} aria-label="Captions for your picture">
        {lines.map((line) => (
          <li key={captions[line.index]} data-own={line.index < typed || undefined}>
            <Line line={line}>
              <Caption text={captions[line.index]} />
            </Line>
          </li>
        ))}
      </ol>
    </figure>
  );
}

/** A caption's softmax over the pictures of the batch and one's own. */
export function PictureRanking({ answer }: RankingProps) {
  const { question, embedded, frame, batch } = answer;
  const { captions, query, bytes } = question;
  const logScale = useLogScale(answer);
  const N = frame && batch && batch.captions.length * embedded.E === frame.v.length ? batch.captions.length : 0;
  const { lines, pictures } = useMemo(() => {
    const { E } = embedded;
    const rows = new Float64Array((N + 1) * E);
    if (N > 0) rows.set(frame!.v);
    rows.set(embedded.pictures, N * E);
    const pictures = new Uint8ClampedArray((N + 1) * bytes.length);
    if (N > 0) pictures.set(batch!.pictures);
    pictures.set(bytes, N * bytes.length);
    const row = embedded.texts.subarray(captions.length * E);
    return { lines: shownRanks(ranking(row, rows, logScale), most, (index) => index === N), pictures };
  }, [embedded, captions, frame, batch, bytes, N, logScale]);
  if (query.trim() === '') return <p className="help">Type a caption.</p>;
  return (
    <figure>
      <figcaption>
        <b>
          Pictures for “<Caption text={query} />”
        </b>
        <Terms count={N + 1} of="pictures" logScale={logScale} step={embedded.step} />
      </figcaption>
      <ol className={`${labStyles.bars} ${styles.list}`} aria-label="Pictures for your caption">
        {lines.map((line) => (
          <li key={line.index} data-own={line.index === N || undefined} data-pictured>
            <Thumbnails pictures={pictures} columns={[line.index]} label="" />
            <Line line={line}>
              {line.index === N ? 'your picture' : `picture ${line.index + 1}: ${batch!.captions[line.index]}`}
            </Line>
          </li>
        ))}
      </ol>
    </figure>
  );
}

interface TermsProps {
  readonly count: number;
  readonly of: string;
  readonly logScale: number;
  readonly step: number;
}

/** Says among how many, and by which model, was chosen. */
function Terms({ count, of, logScale, step }: TermsProps) {
  return (
    <span className="muted">
      bars: softmax among {count} {of}, τ {Math.exp(-logScale).toPrecision(3)}, after step {whole(step)}; right: cosine
    </span>
  );
}

interface LineProps {
  readonly line: Ranked & { readonly place: number };
  readonly children: ReactNode;
}

/** Smaller shares are told as less than this. */
const leastTold = 1e-5;

/** A line of a ranking: its place, its probability as a bar, and its cosine. */
function Line({ line: { place, probability, cosine }, children }: LineProps) {
  return (
    <>
      <span className={labStyles.bar}>
        <i style={{ width: `${100 * probability}%` }} />
        <span>
          {place}. {probability < leastTold ? `< ${percent(leastTold)}` : percent(probability)} {children}
        </span>
      </span>
      <span className={styles.cosine}>
        <span className="visually-hidden">, cosine </span>
        {cosine.toFixed(3).replace('-', '−')}
      </span>
    </>
  );
}

/** A caption with a mark at each word that no caption of training had. */
function Caption({ text }: { readonly text: string }) {
  const tokenizer = useFacts(tokenizerOf);
  const known = useMemo(() => tokenizer && new Set(worldTokenIds(tokenizer)), [tokenizer]);
  const unknown = useMemo(
    () => (tokenizer && known ? new Set(unknownTextWords(text, known, tokenizer)) : null),
    [text, tokenizer, known],
  );
  if (!unknown?.size) return text;
  return text.split(/(\s+)/).map((word, i) => {
    const isUnknown = [...unknown].some((other) => word.toLowerCase().includes(other));
    return (
      <span key={i}>
        {word}
        {isUnknown && <UnknownMark />}
      </span>
    );
  });
}
