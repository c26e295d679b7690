"""The words that columns of transactions are called by, in many languages, by what they mean."""

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
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
    "title": "name bezeichnung description beschreibung descripcion descrizione omschrijving "
    "descricao opis designation libelle title titel nom nome nombre naam nazwa",
    "category": "category subcategory kategorie unterkategorie categorie categoria kategoria "
    "department rayon",
    "group": "group gruppe groupe grupo gruppo groep grupa familie famille familia famiglia",
    "cost": "cost costs kosten cout coste costo custo koszt cogs wareneinsatz einkaufspreis "
    "costes costi couts",
    "overhead": "shipping versand service freight fracht delivery livraison envio spedizione "
    "standard marketing bezorging livraisons tax",
    "discount": "discount rabatt remise descuento sconto korting desconto rabat nachlass",
    "share": "pct percent percentage prozent pourcentage porcentaje percentuale procent rate quote "
    "code type typ",
    "channel": "channel kanal canal canale kanaal",
    "selling": "sales verkauf verkaufs vertrieb vertriebs vente ventes venta vendita verkoop order",
    "neutral": "net gross netto brutto incl excl eur usd gbp pln chf local my the de del di der "
    "des du la le von van in of kwota_netto und et euro hora heure uhrzeit zloty",
}
