"""What columns are called, in many languages: words, and how well a name fits a role.

A name is folded (no case, no accents, `ue` as `u`) and cut into known words, so that `KundenNr`,
`kunden_nummer` and `Kundennummer` are the same two.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Literal

Role = Literal[
    "customer_id", "timestamp", "amount", "price", "quantity", "order_id", "product_id", "currency"
]

_KINDS: Mapping[str, str] = {
    "id": "id ids nr no num number nummer numer numero code key ref reference referenz codigo "
    "codice cod kod kodas identifier identifiant identyfikator uuid guid n nb kennung cislo numbr "
    "identificador identificativo identificatie "
    "schluessel cle clave chiave sleutel chave номер код",
    "customer": "customer cust client kunde kunden kund kd kundin cliente clienti clientes klant "
    "klanten klient klienta kontrahent odbiorca nabywca user member household buyer purchaser "
    "shopper consumer debitor debitoren debiteur acheteur comprador acquirente koper usuario "
    "utente utilisateur gebruiker mitglied membre socio lid czlonek reseller dealer haushalt "
    "besteller kaeufer zakaznik asiakas musteri vevo клиент покупатель kundens kupujacy utilizador",
    "weak_customer": "account acct konto compte cuenta conto rekening conta card karte carte "
    "tarjeta carta kaart cartao karta email mail firma company partner person persona loyalty "
    "visitor subscriber abonnent abonne contact kontakt patient guest gast donor",
    "order": "order orders invoice transaction trans txn bestellung bestell bestellungs bestellnr "
    "auftrag auftrags rechnung rechnungs beleg bon kasse kassen bestel commande cmd facture ticket "
    "pedido "
    "factura fra compra ordine fattura scontrino ricevuta bestelling factuur encomenda "
    "fatura recibo zamowienie zamowienia faktura faktury paragon paragonu receipt basket cart "
    "purchase document dokument voucher sales sale vorgang objednavka ordre tilaus "
    "siparis venta vente vendita verkoop venda vendas sprzedaz sprzedazy заказ checkout",
    "product": "product prod item article artikel art produkt sku stock ean gtin asin upc isbn "
    "produit producto articulo prodotto articolo artigo produto towar towaru produktu material "
    "ware warengut sortiment товар tuote urun",
    "code": "sku ean gtin asin upc isbn",
    "date": "date datum fecha data timestamp datetime time zeit zeitpunkt zeitstempel tag day dia "
    "jour giorno dag dzien horodatage fechahora momento moment created when дата dato pvm tarih "
    "erstellt buchungstag",
    "trade": "order purchase invoice transaction trans txn event bestel sale sales sold buy "
    "bought kauf kaufs "
    "verkauf verkaufs bestell bestellung rechnung rechnungs beleg buchung buchungs umsatz achat "
    "commande facture vente transaccion transaction compra pedido factura venta acquisto ordine "
    "fattura vendita aankoop bestelling factuur verkoop transactie venda encomenda fatura zakup "
    "zakupu zamowienia sprzedazy transakcji faktury at on timestamp datetime transazione transacao",
    "bad_date": "due ship shipped shipping delivery delivered liefer lieferung faellig "
    "faelligkeits geburt geburts birth birthday dob update updated modified change paid payment "
    "zahlung zahlungs valid expiry expires expiration end start livraison naissance echeance "
    "paiement entrega nacimiento vencimiento pago consegna nascita scadenza pagamento levering "
    "geboorte verval betaling nascimento dostawy urodzenia platnosci signup registration "
    "registrierung inscription alta load export import versand anlage first last",
    "amount": "amount amt betrag betrags umsatz revenue turnover spend spending montant importe "
    "importo bedrag kwota wartosc valor total summe gesamt gesamtbetrag totale totaal suma razem "
    "omzet fatturato sales value ca chiffre affaires erloes erlos ingreso ingresos ricavo ricavi "
    "receita obrot volume_eur paid verkaufswert bestellwert warenwert ordervalue somme linetotal "
    "сумма belopp belob beloeb castka tutar summa extended monto ttc ht",
    "price": "price preis preise prix precio prezzo prijs preco cena ceny pris hinta fiyat цена pu "
    "preisliste",
    "unit": "unit each einzel stueck stuck unitaire unitario unitaria eenheid eenheids stuk stuks "
    "jednostkowa jednostkowy single per einheit piece vk list",
    "all": "total gesamt line zeilen positions position totale totaal suma summe extended ligne "
    "linea riga regel razem item_total endpreis bestell rechnungs",
    "quantity": "quantity qty quant menge anzahl stueckzahl stueck quantite qte cantidad cant "
    "quantita qta aantal hoeveelheid quantidade qtd qtde ilosc units pieces pcs antal mnozstvi "
    "count unidades pezzi sztuk szt количество maara adet bestellmenge nombre items",
    "currency": "currency waehrung devise moneda valuta divisa moeda waluta curr wkz ccy mena "
    "valutakode",
    "bad_money": "tax vat mwst ust steuer tva iva btw podatek discount rabatt remise descuento "
    "sconto korting desconto rabat shipping versand freight fracht cost costs kosten cout coste "
    "costo custo koszt balance saldo limit margin marge marza profit gewinn points punkte rate "
    "standard fee fees gebuehr porto tip commission provision tariff standardcost sconti frais",
    "attribute": "name vorname nachname lastname firstname nom prenom nombre apellido nome naam "
    "nazwa imie city stadt ort ville ciudad citta plaats cidade miasto country land pays pais "
    "paese kraj type typ tipo soort rodzaj group gruppe groupe grupo gruppo groep grupa segment "
    "status state statut estado stato stan age alter gender sex region phone telefon address "
    "adresse strasse zip plz since seit category kategorie categorie categoria kategoria "
    "subcategory description beschreibung bezeichnung descripcion descrizione omschrijving "
    "descricao opis designation libelle class klasse priority channel kanal line position zeile "
    "brand marke title titel tier level store shop filiale employee mitarbeiter territory comment",
    "neutral": "net gross netto brutto incl excl eur usd gbp pln chf local my the de del di der "
    "des du la le von van in of kwota_netto und et euro hora heure uhrzeit zloty",
}


_LETTERS = {ord("ß"): "ss", ord("ł"): "l", ord("ø"): "o", ord("æ"): "ae"}


def _folded(text: str) -> str:
    plain = text.casefold().translate(_LETTERS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return re.sub("([aou])e", r"\1", plain)


_WORDS = {kind: frozenset(map(_folded, words.split())) for kind, words in _KINDS.items()}
_ALL_WORDS = frozenset().union(*_WORDS.values())
_SHORTEST_PART = 2


@functools.cache
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, folded; a compound is cut where all its parts are known.

    Example:
        >>> words_of("KundenNr"), words_of("bestelldatum")
        (('kunden', 'nr'), ('bestell', 'datum'))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(p for token in re.findall(r"[^\W_]+", spaced) for p in _parts(_folded(token)))


def _parts(token: str) -> tuple[str, ...]:
    if token in _ALL_WORDS:
        return (token,)
    return next(_cuts(token), (token,))


def _cuts(token: str) -> Iterator[tuple[str, ...]]:
    for end in range(len(token) - _SHORTEST_PART, _SHORTEST_PART, -1):
        if token[:end] in _ALL_WORDS:
            for rest in dict.fromkeys((token[end:], re.sub("^(s|en|n|e)", "", token[end:]))):
                if rest in _ALL_WORDS and len(rest) >= _SHORTEST_PART:
                    yield (token[:end], rest)
                else:
                    yield from ((token[:end], *more) for more in _cuts(rest))


def fit(role: Role, name: str) -> float:
    """How well a name fits a role, from 0 to 1.

    Example:
        >>> fit("customer_id", "Kundennummer"), fit("customer_id", "Kundenname")
        (1.0, 0.2)
        >>> fit("amount", "UnitPrice"), fit("price", "UnitPrice")
        (0.0, 1.0)
    """
    words = words_of(name)
    return _FITS[role](words)


def _has(words: tuple[str, ...], *kinds: str) -> bool:
    return any(word in _WORDS[kind] for kind in kinds for word in words)


def _knows(words: tuple[str, ...], *kinds: str) -> bool:
    return all(any(w in _WORDS[k] for k in (*kinds, "neutral")) or w.isdigit() for w in words)


def _customer(words: tuple[str, ...]) -> float:
    strong = _has(words, "customer")
    if not strong and not _has(words, "weak_customer"):
        return 0.0
    if _has(words, "attribute", "date", "bad_date", "amount", "price", "bad_money", "quantity"):
        return 0.2
    base = 1.0 if _has(words, "id") else 0.9
    return base * (1.0 if strong else 0.7) * (1.0 if _known_customer(words) else 0.8)


def _known_customer(words: tuple[str, ...]) -> bool:
    return _knows(words, "customer", "weak_customer", "id")


def _order(words: tuple[str, ...]) -> float:
    other = _has(words, "date", "amount", "price", "quantity", "bad_money", "currency")
    is_sales = words and words[0] in {"sales", "sale"} and _has(words, "id")
    if not _has(words, "order") or (other and not is_sales) or _has(words, "customer", "product"):
        return 0.0
    if _has(words, "attribute", "bad_date", "weak_customer"):
        return 0.2
    return (1.0 if _has(words, "id") else 0.8) * (1.0 if _knows(words, "order", "id") else 0.8)


def _product(words: tuple[str, ...]) -> float:
    other = ("date", "amount", "price", "quantity", "bad_money", "customer", "currency")
    if not _has(words, "product") or _has(words, *other):
        return 0.0
    if _has(words, "attribute"):
        return 0.4
    return 1.0 if _has(words, "id", "code") else 0.8


def _timestamp(words: tuple[str, ...]) -> float:
    if not _has(words, "date"):
        return 0.0
    if _has(words, "bad_date") or _has(words, "customer"):
        return 0.2
    if _has(words, "trade"):
        return 1.0
    return 0.9 if _knows(words, "date") else 0.6


def _amount(words: tuple[str, ...]) -> float:
    if _has(words, "bad_money", "date", "id", "attribute") and not _has(words, "all"):
        return 0.2 if _has(words, "amount", "price") else 0.0
    if _has(words, "bad_money", "date", "id"):
        return 0.2
    if _has(words, "price"):
        return 0.95 if _has(words, "all") and not _has(words, "unit") else 0.0
    if not _has(words, "amount") or (_has(words, "unit") and not _has(words, "all")):
        return 0.0
    is_known = _knows(words, "amount", "all", "order", "trade", "currency")
    return 1.0 if is_known else 0.7


def _price(words: tuple[str, ...]) -> float:
    if not _has(words, "price") or _has(words, "bad_money", "date", "all", "attribute"):
        return 0.6 if _has(words, "unit") and _has(words, "amount", "value") else 0.0
    return 1.0 if _has(words, "unit") else 0.8


def _quantity(words: tuple[str, ...]) -> float:
    if not _has(words, "quantity") or _has(words, "price", "bad_money", "date", "id", "currency"):
        return 0.0
    rest = _knows(words, "quantity", "order", "product", "unit")
    return (1.0 if rest else 0.7) * (0.3 if _has(words, "attribute") else 1.0)


def _currency(words: tuple[str, ...]) -> float:
    return 1.0 if _has(words, "currency") else 0.0


_WORDS["value"] = frozenset({_folded("value")})
_FITS = {
    "customer_id": _customer,
    "timestamp": _timestamp,
    "amount": _amount,
    "price": _price,
    "quantity": _quantity,
    "order_id": _order,
    "product_id": _product,
    "currency": _currency,
}
