import { useMemo, useState } from 'react';
import type { AlignedFile } from '../../road/export/alignedFile.ts';
import type { ConditioningComparison } from '../../road/export/compareConditioning.ts';
import type { ConditioningFile } from '../../road/export/conditioningFile.ts';
import { type DifferingOption, differingOptions } from '../../road/export/differingOptions.ts';
import { storedNetworks } from '../../road/export/exportConditioning.ts';
import type { PromptOptions } from '../../road/options.ts';
import { comparisonWork } from '../../state/exporting.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabel } from '../../state/tokenLabels.ts';
import { reach } from '../embeddings/embeddingMaps.ts';
import embeddingsStyles from '../embeddings/embeddings.module.css';
import { brief, exact, percent } from '../page/numbers.ts';
import { Slider } from '../page/Slider.tsx';
import { useDark, useFacts } from '../page/useFacts.ts';
import { useSliced } from '../page/useSliced.ts';
import { range } from '../pictures/pixels.ts';
import { RowNorms } from '../pictures/RowNorms.tsx';
import { StatePicture, StateReadout } from '../pictures/StatePicture.tsx';
import { signedScale } from '../pictures/valueScales.ts';
import { optionLabels, optionText } from '../prompts/choices.ts';
import styles from './export.module.css';
import { useEncoded } from './useEncoded.ts';

/** Shows the conditioning in the opened file minus the prompt's. */
export function Comparison() {
  const file = useFacts((s) => s.compared);
  const close = useFacts((s) => s.closeCompared);
  const [chosen, setChosen] = useState<number | null>(null);
  const { done, total } = useEncoded('comparison');
  const index = chosen ?? file?.conditionings.findIndex(({ name }) => !/(^|\.)negative_/.test(name)) ?? 0;
  const shown = Math.max(index, 0);
  const work = useFacts((s) => comparisonWork(s, shown));
  const { value, isStale } = useSliced(work, work?.isLong ?? false);
  const comparison = value?.comparison;
  if (!file) return null;
  return (
    <section className={styles.comparison} aria-label="Comparison">
      <header>
        <h3>{file.name}</h3>
        {file.conditionings.length > 1 && (
          <select
            aria-label="Conditioning in the file"
            value={shown}
            onChange={(event) => setChosen(Number(event.target.value))}
          >
            {file.conditionings.map(({ name }, i) => (
              <option key={name} value={i}>
                {name}
              </option>
            ))}
          </select>
        )}
        <button type="button" className="small" onClick={close}>
          Close
        </button>
      </header>
      <Origin file={file} name={file.conditionings[shown].name} />
      {typeof comparison === 'string' ? (
        <p className="warning">{comparison}</p>
      ) : comparison ? (
        <Difference comparison={comparison} stale={isStale} />
      ) : (
        <p className="muted">{work ? 'Comparing the numbers' : `Encoding: ${done} of ${total} runs of the encoder`}</p>
      )}
    </section>
  );
}

/** Shows what the file's metadata says about its making. */
function Origin({ file: { metadata }, name }: { file: ConditioningFile; name: string }) {
  const options = useFacts((s) => s.options);
  const prefix = /^\d+\./.exec(name)?.[0] ?? '';
  const isNegative = name.startsWith(`${prefix}negative_`);
  const side = isNegative ? 'negative_' : '';
  const entry = (key: string) => metadata.get(prefix + key);
  const prompt = entry(`${side}prompt`);
  if (prompt === undefined)
    return <p className="help">This page did not make the file, so its prompt and model are not known.</p>;
  const option = (name: keyof PromptOptions) => optionText(name, entry(name) ?? '');
  const modelText = entry('random_weights') === 'true' ? `made-up weights (${entry('model')})` : entry('model');
  const { embeddings, loras } = storedNetworks(metadata, prefix, isNegative ? 'negative' : 'positive');
  const facts = [
    ['Prompt', prompt === '' ? '(empty)' : prompt],
    ['Weighting', option('weighting')],
    ['Mask', option('mask')],
    ['Clip skip', option('clipSkip')],
    ['Model', [modelText, entry('model_hash')?.slice(0, 10)].filter(Boolean).join(', SHA-256 ')],
    ['LoRAs', loras.map(({ name, multiplier }) => `${name} × ${multiplier}`).join(', ')],
    [
      'Textual inversions',
      embeddings
        .map(({ name, vectors }) => `${name} (${vectors === 1 ? '1 vector' : `${vectors} vectors`})`)
        .join(', '),
    ],
  ].filter(([, value]) => value);
  return (
    <>
      <dl className={styles.origin}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <OtherOptions differing={differingOptions(metadata, prefix, options)} />
    </>
  );
}

/** Lists the options that the file was made with and the page is not. */
function OtherOptions({ differing }: { readonly differing: readonly DifferingOption[] }) {
  if (differing.length === 0)
    return <p className="help">The file was made with the same options as are chosen here.</p>;
  return (
    <table className={styles.options}>
      <caption>Options that differ</caption>
      <thead>
        <tr>
          <th scope="col">Option</th>
          <th scope="col">In the file</th>
          <th scope="col">Here</th>
        </tr>
      </thead>
      <tbody>
        {differing.map(({ name, file, page }) => (
          <tr key={name}>
            <th scope="row">{optionLabels[name]}</th>
            <td>{optionText(name, file)}</td>
            <td>{optionText(name, page)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Number of rows that are listed at first. */
const firstRows = 16;

type Aligned = ConditioningComparison & { readonly aligned: AlignedFile | null };

function Difference({ comparison, stale }: { comparison: Aligned; stale: boolean }) {
  const { difference, d, rows, largest, at, mean, tokens } = comparison;
  const tokenizer = useFacts(tokenizerOf);
  const L = useFacts((s) => shownConfig(s).maxPositionEmbeddings);
  const dark = useDark();
  const [chunk, setChunk] = useState<number | null>(null);
  const chunks = rows / L;
  const shown = Math.min(chunk ?? Math.floor(at.row / L), chunks - 1);
  const labels = useMemo(
    () =>
      tokens
        .slice(shown * L, (shown + 1) * L)
        .map((token) => (token && tokenizer ? tokenLabel(token, tokenizer) : 'completed')),
    [tokens, tokenizer, shown, L],
  );
  const scale = useMemo(() => {
    const { reach: most, largest } = reach(difference);
    return signedScale(most || largest, dark, true);
  }, [difference, dark]);
  const values = useMemo(() => difference.subarray(shown * L * d, (shown + 1) * L * d), [difference, shown, d, L]);
  const title = `File − ${comparison.with}${chunks > 1 ? `, chunk ${shown + 1}` : ''}`;
  return (
    <>
      <p>
        Largest difference <b className={styles.value}>{exact(largest)}</b>
        {largest > 0 ? (
          <>
            {' '}
            at row {at.row}, dimension {at.dimension}; mean magnitude <b className={styles.value}>{exact(mean)}</b>.
          </>
        ) : (
          ': the file has the same numbers, to the last bit.'
        )}
      </p>
      <Alignment aligned={comparison.aligned} rows={rows} />
      {chunks > 1 && <Slider label="Chunk" count={chunks} value={shown} onChange={setChunk} />}
      <div className={embeddingsStyles.embeddings} aria-busy={stale} data-stale={stale || undefined}>
        <div className={embeddingsStyles.embeddingPictures}>
          <StatePicture name={title} values={values} d={d} labels={labels} scale={scale} largest={largest} />
          <StateReadout matrices={[{ name: title, values }]} labels={labels} d={d} from={shown * L} />
        </div>
        <RowNorms
          caption="Distance of each row from the page’s"
          columns={[{ name: 'Norm', values: comparison.distances.subarray(shown * L, (shown + 1) * L) }]}
          labels={labels}
          few={range(firstRows)}
          more={`All ${L} rows`}
          less={`The first ${firstRows} rows`}
          format={brief}
        />
      </div>
    </>
  );
}

/** Says how far rows of the same token are apart, and where the picture below pairs rows of different ones. */
function Alignment({ aligned, rows }: { readonly aligned: AlignedFile | null; readonly rows: number }) {
  if (!aligned)
    return <p className="help">The file does not say which tokens its rows are: rows are paired by their number.</p>;
  const { isSame, pairs, relative, cosine } = aligned;
  const measured = `${percent(relative)} of their length, with a mean cosine of ${cosine.toFixed(4)}`;
  if (isSame) return relative > 0 ? <p>The rows differ by {measured}.</p> : null;
  return (
    <p className="warning">
      The file has other tokens than the prompt here. The {pairs} of {rows} rows that hold the same token differ by{' '}
      {measured}; the numbers and pictures of single rows pair them by their number.
    </p>
  );
}
