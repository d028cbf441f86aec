import { useCallback, useMemo, useState } from 'react';
import type { LayerReads } from '../../analyses/unetReads.ts';
import { startUnet } from '../../state/unet/startUnet.ts';
import { type UnetSubject, unetAnalysis, unetSource, unetSubject } from '../../state/unet/unetAnalysis.ts';
import { FileButton } from '../page/FileButton.tsx';
import { percent, rough, small } from '../page/numbers.ts';
import { PadRows } from '../page/PadRows.tsx';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { range } from '../pictures/pixels.ts';
import { probabilityScale } from '../pictures/valueScales.ts';
import { AnalysisFrame } from './AnalysisFrame.tsx';
import styles from './analyses.module.css';
import { meanMove, meanOf, unetFinding } from './analysisFindings.ts';
import { unetTables } from './analysisTables.ts';
import { GridPicture } from './GridPicture.tsx';
import { SaveNumbers } from './SaveNumbers.tsx';
import { useAnalysis } from './useAnalysis.ts';

const title = 'What the U-Net receives';
const ask = startUnet();

/** Shows the keys and values that the U-Net's cross-attention makes of the conditioning. */
export function UnetAnalysis() {
  const subject = useFacts(unetSubject);
  const analysisOf = useCallback((of: UnetSubject) => unetAnalysis(of, ask), []);
  const analysis = useAnalysis(subject, analysisOf);
  return (
    <AnalysisFrame
      title={title}
      question="The U-Net, which paints, reads the rows of the conditioning in its cross-attention layers. Each layer multiplies every row by two matrices of its own: K = C W_K, the key that decides how much a pixel looks at the token, and V = C W_V, the value that the pixel then gets. How long are they, and what do the weights change?"
      analysis={analysis}
      finding={({ of, result }) => unetFinding(of, result)}
      limits="A long key is not yet looked at much: that depends on the query of each pixel, and the queries on the picture so far. Lengths compare within a layer; layers of more channels have longer rows. The matrices are as the file has them, without LoRAs."
      controls={<ChooseUnet />}
    >
      {({ of, result }) => ('problem' in result ? null : <UnetRows of={of} layers={result.layers} />)}
    </AnalysisFrame>
  );
}

/** Says which U-Net is read, and opens another. */
function ChooseUnet() {
  const source = useFacts(unetSource);
  const opened = useFacts((s) => s.unet);
  const openUnet = useFacts((s) => s.openUnet);
  return (
    <p>
      <FileButton
        text={source ? 'Open another U-Net' : 'Open a U-Net'}
        accept=".safetensors,.ckpt,.pt,.bin"
        isSmall
        onChoose={openUnet}
      />{' '}
      {opened && (
        <button type="button" className="small" onClick={() => openUnet(null)}>
          Close it
        </button>
      )}{' '}
      {source && (
        <span className="muted">
          {source.kind === 'file' ? `Read from “${source.file.name}”.` : 'Read from the page’s own small denoiser.'}
        </span>
      )}
    </p>
  );
}

const shownKinds = { after: 'as weighted', before: 'without weights', moved: 'moved by weights' } as const;
type Shown = keyof typeof shownKinds;

function UnetRows({ of: { tokens, labels }, layers }: { of: UnetSubject; layers: readonly LayerReads[] }) {
  const [shown, setShown] = useState<Shown>('after');
  const [withPad, setWithPad] = useState(true);
  const rows = useMemo(
    () => [...tokens.keys()].filter((row) => withPad || tokens[row].kind !== 'pad'),
    [tokens, withPad],
  );
  const pads = tokens.filter(({ kind }) => kind === 'pad').length;
  const pictures = useMemo(() => {
    const of = (part: 'keys' | 'values') => layers.map((layer) => rows.map((row) => layer[part][shown][row]));
    // Before and after have one scale, so that the pictures compare.
    const scaleOf = (part: 'keys' | 'values') => {
      const all = layers.flatMap(({ [part]: { before, after, moved } }) =>
        shown === 'moved' ? [...moved] : [...before, ...after],
      );
      return probabilityScale('sqrt', Math.max(0, ...all.filter(Number.isFinite)));
    };
    return { keys: of('keys'), values: of('values'), keyScale: scaleOf('keys'), valueScale: scaleOf('values') };
  }, [layers, rows, shown]);
  const isMove = shown === 'moved';
  const shared = {
    axes: { rows: 'layer', columns: 'token' },
    rowLabels: layers.map(({ name }) => name),
    columnLabels: rows.map((row) => labels[row]),
    format: isMove ? percent : small,
  };
  return (
    <>
      <Segmented<Shown>
        legend="Show"
        name="unet-rows"
        choices={(Object.keys(shownKinds) as Shown[]).map((value) => ({ value, label: shownKinds[value] }))}
        value={shown}
        onChange={setShown}
      />
      <GridPicture
        {...shared}
        name={`Keys ${shownKinds[shown]}: ${isMove ? '‖ΔK‖ as a share of ‖K‖' : '‖K‖'}`}
        values={pictures.keys}
        scale={pictures.keyScale}
        unit={isMove ? 'of ‖K‖' : '‖K‖'}
      />
      <GridPicture
        {...shared}
        name={`Values ${shownKinds[shown]}: ${isMove ? '‖ΔV‖ as a share of ‖V‖' : '‖V‖'}`}
        values={pictures.values}
        scale={pictures.valueScale}
        unit={isMove ? 'of ‖V‖' : '‖V‖'}
      />
      {pads > 0 && (
        <p>
          <PadRows count={pads} isExpanded={withPad} onToggle={setWithPad} />
        </p>
      )}
      <MovedTokens tokens={tokens} labels={labels} layers={layers} />
      <LayerTable tokens={tokens} layers={layers} />
      <SaveNumbers title={title} tables={() => unetTables(labels, layers)} />
    </>
  );
}

/** Lists the tokens that weights move. */
function MovedTokens({
  tokens,
  labels,
  layers,
}: Pick<UnetSubject, 'tokens' | 'labels'> & { layers: readonly LayerReads[] }) {
  const moved = range(tokens.length).filter((row) => layers.some(({ values }) => values.moved[row] > 0));
  const words = moved.filter((row) => tokens[row].kind !== 'pad');
  if (words.length === 0) return null;
  const meanLength = (part: 'keys' | 'values', when: 'before' | 'after', row: number) =>
    rough(meanOf(layers.map(({ [part]: lengths }) => lengths[when][row])));
  return (
    <div className={styles.scrolling}>
      <table className={styles.numbers}>
        <caption>Tokens that weights move, in the mean of all layers</caption>
        <thead>
          <tr>
            <th scope="col">Token</th>
            <th scope="col">‖K‖ before</th>
            <th scope="col">‖K‖ after</th>
            <th scope="col">‖ΔK‖ / ‖K‖</th>
            <th scope="col">‖V‖ before</th>
            <th scope="col">‖V‖ after</th>
            <th scope="col">‖ΔV‖ / ‖V‖</th>
          </tr>
        </thead>
        <tbody>
          {words.map((row) => (
            <tr key={row}>
              <th scope="row">{labels[row]}</th>
              {(['keys', 'values'] as const).flatMap((part) => [
                <td key={`${part} before`}>{meanLength(part, 'before', row)}</td>,
                <td key={`${part} after`}>{meanLength(part, 'after', row)}</td>,
                <td key={`${part} moved`}>{percent(meanMove(layers, part, row))}</td>,
              ])}
            </tr>
          ))}
        </tbody>
      </table>
      {moved.length > words.length && <p className="help">And {moved.length - words.length} rows of PAD.</p>}
    </div>
  );
}

/** Lists the layers with the lengths of BOS, the words, EOS and PAD. */
function LayerTable({ tokens, layers }: Pick<UnetSubject, 'tokens'> & { layers: readonly LayerReads[] }) {
  const kinds = [
    { kind: 'bos', name: 'BOS' },
    { kind: 'text', name: 'words' },
    { kind: 'eos', name: 'EOS' },
    { kind: 'pad', name: 'PAD' },
  ] as const;
  const there = kinds.flatMap(({ kind, name }) => {
    const rows = range(tokens.length).filter((row) => tokens[row].kind === kind);
    return rows.length > 0 ? [{ name, rows }] : [];
  });
  const parts = [
    { part: 'keys', symbol: '‖K‖' },
    { part: 'values', symbol: '‖V‖' },
  ] as const;
  return (
    <div className={styles.scrolling}>
      <table className={styles.numbers}>
        <caption>The layers, as weighted: mean lengths of each kind of row</caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">In the file</th>
            <th scope="col">Channels</th>
            {parts.flatMap(({ symbol }) =>
              there.map(({ name }) => (
                <th key={symbol + name} scope="col">
                  {symbol} {name}
                </th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {layers.map((layer) => (
            <tr key={layer.block + layer.name}>
              <th scope="row">{layer.name}</th>
              <td>{layer.block}</td>
              <td>{layer.channels}</td>
              {parts.flatMap(({ part, symbol }) =>
                there.map(({ name, rows }) => (
                  <td key={symbol + name}>{rough(meanOf(rows.map((row) => layer[part].after[row])))}</td>
                )),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
