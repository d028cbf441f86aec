import { useMemo } from 'react';
import { shownChunk } from '../../state/reading.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useReading } from '../page/useReading.ts';
import { weightScale } from '../pictures/color.ts';
import styles from './strip.module.css';
import { TokenStrip } from './TokenStrip.tsx';

/** The tokens of the prompt on show, which stay in sight of every view; or why there are none. */
export function PromptTokens() {
  const { reading, isStale } = useReading(useFacts((s) => s.side));
  const shownRow = useLast(useFacts(shownChunk));
  const tokenizer = useFacts((s) => s.tokenizer);
  const loadTokenizer = useFacts((s) => s.loadTokenizer);
  const dark = useDark();
  const scale = useMemo(() => weightScale(dark), [dark]);
  if (tokenizer.phase === 'failed')
    return (
      <div className="notice" data-severity="error" role="alert">
        <span>{tokenizer.message}</span>
        <button type="button" onClick={() => void loadTokenizer()}>
          Try again
        </button>
      </div>
    );
  if (tokenizer.phase !== 'ready')
    return <p className={`${styles.strip} ${styles.toCome} muted`}>Loading the vocabulary</p>;
  if (!reading || !shownRow) return <p className={`${styles.strip} ${styles.toCome} muted`}>Reading the prompt</p>;
  return (
    <div aria-busy={isStale} data-stale={isStale || undefined}>
      {reading.refusal ? (
        <p className={styles.strip}>{reading.refusal}</p>
      ) : (
        <TokenStrip prepared={reading} shown={shownRow} tokenizer={tokenizer.tokenizer} scale={scale} />
      )}
    </div>
  );
}
