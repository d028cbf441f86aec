import { use } from 'react';
import { type LabelledTable, tablesCsv } from '../../files/csv.ts';
import { pictureOrigin } from '../../state/pictureOrigin.ts';
import { StoreContext } from '../page/useFacts.ts';
import { fileName, saveFile } from '../pictures/saveFile.ts';

interface SaveNumbersProps {
  readonly title: string;
  tables(): readonly LabelledTable[];
}

/** Saves all numbers of an analysis, those that no picture has room for among them. */
export function SaveNumbers({ title, tables }: SaveNumbersProps) {
  const store = use(StoreContext);
  const save = () => {
    if (!store) return;
    const { inShort } = pictureOrigin(store.getState());
    saveFile(`${fileName(title, inShort)}.csv`, tablesCsv(tables()), 'text/csv');
  };
  return (
    <p>
      <button type="button" className="small" onClick={save}>
        Save the numbers
      </button>{' '}
      <span className="muted small">As CSV: a line for each number, with its table, row and column.</span>
    </p>
  );
}
