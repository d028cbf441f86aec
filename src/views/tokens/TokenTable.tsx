import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from 'react';
import { isUnknown } from '../../road/study/knownWords.ts';
import { shownChunk } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { tokenLabels } from '../../state/tokenLabels.ts';
import type { PromptToken } from '../../tokens/promptTokens.ts';
import { wordsOf } from '../../tokens/words.ts';
import { brief } from '../page/numbers.ts';
import { moveFocus } from '../page/roving.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useReading } from '../page/useReading.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { type ColourScale, cssColour, weightScale } from '../pictures/color.ts';
import { Legend } from '../pictures/Legend.tsx';
import { pointsAtTokens, tokenOf, useFocusedToken, useMarks } from '../pictures/pointed.ts';
import { tokenizerChoicesIn } from '../prompts/choices.ts';
import { ChoiceHelp } from '../prompts/Options.tsx';
import styles from './tokens.module.css';

const lead = (L: number) => (
  <>
    The prompt as the encoder gets it: <dfn>tokens</dfn>, words or pieces of words, each with its number (id) in a fixed
    vocabulary. They are encoded in <dfn>chunks</dfn> of {L}: <dfn>BOS</dfn> begins a chunk, <dfn>EOS</dfn> ends the
    text, and <dfn>PAD</dfn> fills up what is left. A mask bit of 0 hides a token from all others. Choose a token to see
    how its word is put together.
  </>
);

/** The tokens of the chunk on show, and how to read them. */
export function TokenTable() {
  const dark = useDark();
  const L = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  return (
    <section className={`panel ${styles.view}`} id="tokens" aria-labelledby="tokens-title">
      <ViewHeader view="tokens" lead={lead(L)}>
        <Legend title="Weight" scale={useMemo(() => weightScale(dark), [dark])} />
      </ViewHeader>
      <ChunkTokens />
    </section>
  );
}

/** Lists the tokens of the chunk on show, with their ids, weights and mask bits. */
export function ChunkTokens() {
  const { reading, isStale } = useReading(useFacts((s) => s.side));
  const shownRow = useLast(useFacts(shownChunk));
  const tokenizer = useFacts((s) => s.tokenizer);
  const { syntax, tokenizer: choice } = useFacts((s) => s.options);
  const show = useFacts((s) => s.show);
  const knownIds = useFacts((s) => s.model?.knownIds);
  const dark = useDark();
  const scale = useMemo(() => weightScale(dark), [dark]);
  const [expanded, setExpanded] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  const focusedToken = useFocusedToken();
  useMarks(body);

  if (tokenizer.phase !== 'ready' || !reading || !shownRow)
    return (
      <p className="muted">{tokenizer.phase === 'ready' ? 'Reading the prompt' : 'Waiting for the vocabulary.'}</p>
    );

  const { tokens } = shownRow.chunk;
  const { keyMask } = shownRow.pass;
  const applied = reading.texts[shownRow.text].applied[shownRow.index];
  const labels = tokenLabels(tokens, tokenizer.tokenizer);
  const firstPad = tokens.findIndex(({ kind }) => kind === 'pad');
  const pads = firstPad < 0 ? 0 : tokens.length - firstPad;
  const rows = pads > 1 && !expanded ? tokens.slice(0, firstPad + 1) : tokens;

  /** Shows the merges of the word that a token is part of. */
  const showMerges = (index: number) => {
    const word = wordsOf(tokens).find((word) => word.includes(tokens[index]));
    if (!word || tokens[index].kind !== 'text' || tokens[index].vector) return;
    show({ view: 'vocabulary', word: tokenizer.tokenizer.decode(word.map(({ id }) => id)).trim() });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const index = tokenOf(event.target);
    if (event.key === 'Enter' && event.target instanceof HTMLTableRowElement && index !== null) showMerges(index);
    else moveFocus(event, 'tr');
  };

  return (
    <div className={styles.list} aria-busy={isStale || undefined} data-stale={isStale || undefined}>
      <table className={styles.tokens} aria-label="Tokens">
        <thead>
          <tr>
            <th scope="col" className={styles.number}>
              #
            </th>
            <th scope="col" className={styles.number} data-part="id">
              Id
            </th>
            <th scope="col">Token</th>
            <th scope="col" className={styles.number}>
              Weight
            </th>
            <th scope="col" className={styles.number} data-part="bit">
              Mask bit
            </th>
          </tr>
        </thead>
        <tbody ref={body} {...pointsAtTokens} {...focusedToken} onKeyDown={onKeyDown}>
          {rows.map((token, i) => {
            const isRun = pads > 1 && i === firstPad;
            return (
              <TokenRow
                key={`${i} ${token.kind}`}
                token={token}
                index={i}
                end={isRun && !expanded ? tokens.length : i + 1}
                label={labels[i]}
                applied={applied[i]}
                visible={keyMask[i] === 1}
                unknown={isUnknown(token, knownIds)}
                scale={scale}
                onChoose={() => showMerges(i)}
              >
                {isRun ? (
                  <>
                    {!expanded && `× ${pads}`}
                    <button
                      type="button"
                      className="small"
                      aria-expanded={expanded}
                      onClick={() => setExpanded(!expanded)}
                    >
                      {expanded ? 'Collapse PAD' : 'Expand'}
                    </button>
                  </>
                ) : null}
              </TokenRow>
            );
          })}
        </tbody>
      </table>
      <ChoiceHelp choice={tokenizerChoicesIn(syntax)[choice]} />
    </div>
  );
}

interface TokenRowProps {
  readonly token: PromptToken;
  readonly index: number;
  /** Index past the last token that the row stands for. */
  readonly end: number;
  readonly label: string;
  /** The weight that the method applies. */
  readonly applied: number;
  readonly visible: boolean;
  /** Whether the model in use has no row for it. */
  readonly unknown: boolean;
  readonly scale: ColourScale;
  onChoose(): void;
  readonly children: ReactNode;
}

function TokenRow({ token, index, end, label, applied, visible, unknown, scale, onChoose, children }: TokenRowProps) {
  const { kind, id, text, weight, vector } = token;
  const isWordEnd = text.endsWith('</w>');
  return (
    <tr data-kind={kind} data-token={index} data-token-end={end} tabIndex={index === 0 ? 0 : -1}>
      <td className={`${styles.number} muted`}>{end > index + 1 ? `${index}–${end - 1}` : index}</td>
      <td className={styles.number}>{vector ? '–' : id}</td>
      <td className={styles.text} title={text}>
        {vector ? (
          <b title="A vector of a textual inversion stands here in place of a token embedding.">{label}</b>
        ) : kind === 'text' ? (
          <>
            <button
              type="button"
              className={styles.word}
              tabIndex={-1}
              title={`${text}: show how its word is merged (Enter)`}
              onClick={onChoose}
            >
              {label}
              {isWordEnd && <span className={styles.wordEnd}>{'</w>'}</span>}
            </button>
            {unknown && (
              <span
                className={styles.unknown}
                title="The small model in use has no row for this id: it stands for some word that the model never learnt."
              >
                not in this model’s world
              </span>
            )}
          </>
        ) : (
          <>
            <b>{label}</b> {children ?? <span className={styles.wordEnd}>{text}</span>}
          </>
        )}
      </td>
      <td className={styles.number} title={String(weight)}>
        <span
          className={styles.chip}
          style={applied === 1 ? undefined : { backgroundColor: cssColour(scale, applied) }}
        >
          {applied === weight ? brief(weight) : `${brief(weight)} → ${brief(applied)}`}
        </span>
      </td>
      <td className={`${styles.number} ${styles.bit}`} data-bit={visible ? 1 : 0}>
        {visible ? 1 : 0}
      </td>
    </tr>
  );
}
